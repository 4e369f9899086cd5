import { expect, test } from "vitest";
import { z } from "zod";
import { readSettings } from "../../src/platform/settings.ts";

const schema = z.object({ PASSWORD: z.string().max(3), PORT: z.string() });

test("a setting that only names a secret is never taken for its value", () => {
  const env = { PASSWORD: "aws-secret:dev/service#password" };
  expect(() => readSettings(schema, env)).toThrow(
    /- PASSWORD: names a secret that .*: aws-secret:dev\/service#password\n {2}- PORT: is required$/,
  );
});
