import { commit } from "../apply/commit.ts";
import { readService } from "../apply/read-service.ts";
import type { Conflict } from "../plan/plan.ts";
import type { Tree } from "../plan/tree.ts";
import { planUpdate } from "../plan/update.ts";
import type { Host } from "./host.ts";

/**
 * Writes a new service into a folder that is there, such as a fresh clone. Files that are there are
 * kept as in any other command: the result are those that the user has to look at.
 */
export async function writeInto(host: Host, folder: string, tree: Tree): Promise<Conflict[]> {
  const { files, obstacles } = await readService(host.fs, folder, new Set(tree.keys()));
  const { changes, conflicts } = planUpdate({
    base: new Map(),
    unknown: new Set(),
    theirs: tree,
    mine: files,
    obstacles,
    restore: new Set(),
    labels: { mine: "yours", theirs: "template" },
  });
  await commit(host, { root: folder, command: "create", changes });
  return conflicts;
}
