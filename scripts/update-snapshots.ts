import { rmSync } from "node:fs";
import { join } from "node:path";

import { APPROVED, approve, currentTree } from "../test/support/snapshot.ts";

rmSync(join(import.meta.dirname, "../test/snapshots/trees"), { recursive: true, force: true });
for (const { title, answers } of APPROVED) {
  const tree = currentTree(answers);
  approve(title, tree);
  console.log(`${title}: ${tree.size} files approved; look at them with git diff`);
}
