import { rmSync } from "node:fs";
import { join } from "node:path";

import { APPROVED, approve, currentTree } from "../test/support/snapshot.ts";

rmSync(join(import.meta.dirname, "../test/snapshots/trees"), { recursive: true, force: true });
for (const service of APPROVED) {
  const tree = currentTree(service);
  approve(service.title, tree);
  console.log(`${service.title}: ${tree.size} files approved; look at them with git diff`);
}
