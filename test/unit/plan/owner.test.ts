import { expect, it } from "vitest";

import { ownerOf } from "../../../src/plan/owner.ts";

it.each([
  ["src/app.ts", "src/app.ts", "once"],
  ["src/app.ts.new", "src/app.ts", "merged"],
  ["src/routes/a/b.ts", "src/routes/**", "once"],
  ["src/routes", "src/routes/**", "merged"],
  ["src/integrations/kafka/index.ts", "src/integrations/*/**", "once"],
  ["src/integrations/kafka/a/b.ts", "src/integrations/*/**", "once"],
  ["src/integrations/index.ts", "src/integrations/*/**", "merged"],
  ["src/integrations/kafka/index.ts", "src/*/kafka/index.ts", "once"],
  ["src/a/b/kafka/index.ts", "src/*/kafka/index.ts", "merged"],
])("%s by %s is %s", (path, pattern, owner) => {
  expect(ownerOf(path, [pattern])).toBe(owner);
});
