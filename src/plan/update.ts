import { closest } from "../answers/text.ts";
import { UserError } from "../errors.ts";
import { decide } from "./decide.ts";
import { Draft } from "./draft.ts";
import type { MergeContext, Update } from "./merge-context.ts";
import { sameText } from "./merge/three-way/encoding.ts";
import { hasConflictMarkers } from "./merge/three-way/text.ts";
import { movesOf } from "./moves.ts";
import type { Plan } from "./plan.ts";
import { STATE_FILE } from "./state.ts";

/**
 * What it takes to bring a service from one render to another, with every edit of the user's kept.
 * @throws {UserError} when a file still has the marks of an earlier conflict, or a path to restore is
 * not a file of the template's.
 */
export function planUpdate(update: Update): Plan {
  refuseConflictMarkers(update);
  refuseUnknownRestores(update);
  const draft = new Draft(update.mine);
  for (const path of update.restore) {
    if (update.mine.has(path) && update.theirs.has(path)) {
      draft.find(path, "not-deleted", "it is there, so there is nothing to bring back");
    }
  }
  const context = { ...update, ...findMoves(update), draft };
  const paths = new Set([...update.base.keys(), ...update.unknown, ...update.theirs.keys()]);
  for (const path of [...paths].sort()) {
    if (path !== STATE_FILE) {
      decide(context, path);
    }
  }
  const state = update.theirs.get(STATE_FILE);
  const old = update.mine.get(STATE_FILE);
  // Line ends that a checkout made of it are no change to be written, and then to be undone.
  if (state && !(old && sameText(old.bytes, state.bytes))) {
    draft.write(STATE_FILE, { ...state, mode: old?.mode ?? state.mode });
  }
  return draft.plan;
}

function refuseConflictMarkers({ base, theirs, mine }: Update): void {
  const marked = [...mine].filter(([path, { bytes }]) => {
    const ours = (base.get(path) ?? theirs.get(path))?.bytes;
    return ours && hasConflictMarkers(bytes) && !hasConflictMarkers(ours);
  });
  if (marked.length > 0) {
    throw new UserError(
      "UNRESOLVED_CONFLICT",
      `a conflict is still marked in ${marked.map(([path]) => path).join(", ")}`,
      "decide it and remove the <<<<<<< ======= >>>>>>> lines first",
    );
  }
}

function refuseUnknownRestores({ theirs, restore }: Update): void {
  for (const path of restore) {
    if (!theirs.has(path)) {
      const guess = closest(path, [...theirs.keys()]);
      throw new UserError(
        "USAGE",
        `--restore ${path}: the template has no such file`,
        guess
          ? `did you mean ${guess}?`
          : "paths start at the service's folder; `status` lists them",
      );
    }
  }
}

/** Files under another name: moved by the user, and moved by the template. */
function findMoves({ base, theirs, mine }: Update): Pick<MergeContext, "moved" | "replaced"> {
  const isOurs = (path: string) => base.has(path) || theirs.has(path) || /\.new\d*$/.test(path);
  const gone = only(base, (path) => !mine.has(path));
  const dropped = only(base, (path) => !theirs.has(path));
  return {
    moved:
      gone.size > 0
        ? movesOf(
            gone,
            only(mine, (path) => !isOurs(path)),
          )
        : new Map(),
    replaced: movesOf(
      dropped,
      only(theirs, (path) => !base.has(path)),
    ),
  };
}

function only<File>(
  files: ReadonlyMap<string, File>,
  keep: (path: string) => boolean,
): Map<string, File> {
  return new Map([...files].filter(([path]) => path !== STATE_FILE && keep(path)));
}
