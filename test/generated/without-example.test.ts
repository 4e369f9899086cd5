import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { beforeAll, describe, expect, it } from "vitest";

import { createService, runScript } from "../support/generated.ts";
import { type RunningService, startBuilt } from "../support/running-service.ts";
import { templates } from "../support/templates.ts";

/** The receipts' route and its rules, with their tests. */
const EXAMPLE = [
  "src/routes/receipts.ts",
  "src/services/receipt-points.ts",
  "test/routes/receipts.test.ts",
  "test/services/receipt-points.test.ts",
];

/** The example's lines in src/app.ts: its import, and its names in the list. */
const LINES = [/^import .* from "\.\/routes\/receipts\.ts";\n/m, /scoreReceipt, listRules, /];

describe.each(templates.manifest.frameworks)(
  "a service on $title without its example",
  ({ name }) => {
    let directory: string;

    beforeAll(async () => {
      directory = await createService(`${name}-bare`, ["--framework", name]);
      await Promise.all(EXAMPLE.map((path) => rm(join(directory, path))));
      const app = join(directory, "src/app.ts");
      const code = await readFile(app, "utf8");
      LINES.forEach((line) => expect(code).toMatch(line));
      await writeFile(
        app,
        LINES.reduce((text, line) => text.replace(line, ""), code),
      );
    });

    it.each(["typecheck", "lint", "format:check", "test", "build"])(
      "passes npm run %s",
      async (script) => {
        const output = await runScript(directory, script);
        expect(output.replace("Found 0 warnings", "")).not.toMatch(/warn/i);
      },
    );

    it("boots, and has nothing of it left", async () => {
      const service: RunningService = await startBuilt(directory);
      const response = await fetch(`${service.api}/api/v1/receipts/rules`);
      expect(response.status).toBe(404);
      const { paths } = (await (await fetch(`${service.api}/openapi.json`)).json()) as {
        paths: object;
      };
      expect(Object.keys(paths).filter((path) => path.startsWith("/api"))).toEqual([]);
      expect(await service.stop()).toBe(0);
    });
  },
);
