import type { Answers } from "../answers/schema.ts";
import { entryNamed, type Manifest } from "../catalog/manifest.ts";
import type { Templates } from "../catalog/templates.ts";
import { equal } from "./draft.ts";
import { guessAnswers } from "./guess.ts";
import { likeness, linesOf } from "./moves.ts";
import type { DiskTree } from "./plan.ts";
import { render } from "./render.ts";
import { STATE_FILE } from "./state.ts";
import type { Tree } from "./tree.ts";

/** The answers and the version from which a service was most likely made. */
export interface Adoption {
  answers: Answers;
  templates: Templates;
  /** Files that are byte for byte what these answers render, of how many. */
  equal: number;
  total: number;
}

// Below this, it is some other project that happens to have a package.json.
const ENOUGH = 0.3;
const MISSING = -0.25;

/**
 * Finds out how a service was made that has lost its record of it: of all renders, the one that comes
 * nearest to its files. Undefined when none comes near.
 */
export function adopt(versions: readonly Templates[], mine: DiskTree): Adoption | undefined {
  const compare = comparison(mine);
  const candidates = versions.flatMap((templates) =>
    possibleAnswers(templates.manifest, mine).map((answers) => {
      const tree = new Map(render(templates, answers));
      tree.delete(STATE_FILE);
      const { lockfile } = entryNamed(templates.manifest.packageManagers, answers.packageManager);
      const { score, equal: equals } = compare(tree);
      // Files tell little of the package manager; what it has left behind does.
      const likely = mine.has(lockfile) ? score + 1 : score;
      return { answers, templates, total: tree.size, equal: equals, score: likely };
    }),
  );
  const best = candidates.reduce<(typeof candidates)[number] | undefined>(
    (nearest, candidate) => (!nearest || candidate.score > nearest.score ? candidate : nearest),
    undefined,
  );
  if (!best || best.score < best.total * ENOUGH) {
    return undefined;
  }
  const { score: _, ...adoption } = best;
  return adoption;
}

/** What the files say, with every choice of what they do not. */
function possibleAnswers(manifest: Manifest, mine: DiskTree): Answers[] {
  const guess = guessAnswers(manifest, mine);
  const subsets = manifest.integrations.reduce<string[][]>(
    (sets, { name }) => [...sets, ...sets.map((set) => [...set, name])],
    [[]],
  );
  return manifest.frameworks.flatMap((framework) =>
    manifest.packageManagers.flatMap((packageManager) =>
      subsets.flatMap((integrations) =>
        guess
          ? {
              ...guess,
              framework: framework.name,
              packageManager: packageManager.name,
              integrations,
            }
          : [],
      ),
    ),
  );
}

/** Says how near a tree comes: a point for an equal file, a part of one for a file that is alike. */
function comparison(mine: DiskTree) {
  const known = new Map<string, string[]>();
  const linesAt = (path: string, bytes: Uint8Array) => {
    const lines = known.get(path) ?? linesOf(bytes);
    known.set(path, lines);
    return lines;
  };
  return (tree: Tree): { score: number; equal: number } => {
    let [score, equals] = [0, 0];
    for (const [path, { bytes }] of tree) {
      const own = mine.get(path);
      if (!own) {
        score += MISSING;
      } else if (equal(own.bytes, bytes)) {
        score += 1;
        equals += 1;
      } else {
        score += likeness(linesAt(path, own.bytes), linesOf(bytes)) * 0.9;
      }
    }
    return { score, equal: equals };
  };
}
