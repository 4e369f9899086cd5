import { type Answers, defaultAnswers } from "../answers/schema.ts";
import { entryNamed, type Manifest } from "../catalog/manifest.ts";
import type { Templates } from "../catalog/templates.ts";
import { blobId } from "./blob-id.ts";
import { guessAnswers } from "./guess.ts";
import { equal } from "./merge/three-way/encoding.ts";
import { similarity, linesOf } from "./moves.ts";
import type { DiskFile, DiskTree } from "./plan.ts";
import { isRemembered, type Remembered } from "./remembered.ts";
import { rememberedOf, render } from "./render.ts";
import { STATE_FILE } from "./state.ts";

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
// It tells more of the package manager than the few files that differ by it.
const LOCKFILE = 3;
const ALIKE = 0.9;
// About as much as an edited file is like its original.
const EDITED = 0.7;

/**
 * Finds out how a service was made that has lost its record of it: of all renders, the one that comes
 * nearest to its files. Undefined when none comes near.
 */
export function adopt(versions: readonly Templates[], mine: DiskTree): Adoption | undefined {
  const compare = comparison(mine);
  const nearest = versions.flatMap((templates) => {
    const guess = guessAnswers(templates.manifest, mine);
    const first = guess && { ...defaultAnswers(templates.manifest), ...guess };
    return first ? hillClimb(first, templates, compare) : [];
  });
  const [best] = nearest.sort((a, b) => b.score - a.score);
  if (!best || best.score < best.total * ENOUGH) {
    return undefined;
  }
  const { score: _, ...adoption } = best;
  return adoption;
}

interface Candidate extends Adoption {
  score: number;
}

/** Changes one answer after the other, as long as that brings the render nearer. */
function hillClimb(first: Answers, templates: Templates, compare: Compare): Candidate {
  let best = compare(templates, first);
  for (let nearer: Candidate | undefined = best; nearer;) {
    best = nearer;
    const others = variantsOf(templates.manifest, best.answers);
    const [next] = others
      .map((answers) => compare(templates, answers))
      .sort((a, b) => b.score - a.score);
    nearer = next && next.score > best.score ? next : undefined;
  }
  return best;
}

/** All answers that differ in one choice. */
function variantsOf(manifest: Manifest, answers: Answers): Answers[] {
  const { integrations } = answers;
  return [
    ...manifest.frameworks.map(({ name }) => ({ ...answers, framework: name })),
    ...manifest.packageManagers.map(({ name }) => ({ ...answers, packageManager: name })),
    ...manifest.integrations.map(({ name }) => ({
      ...answers,
      integrations: integrations.includes(name)
        ? integrations.filter((other) => other !== name)
        : manifest.integrations
            .map((entry) => entry.name)
            .filter((other) => other === name || integrations.includes(other)),
    })),
  ];
}

type Compare = (templates: Templates, answers: Answers) => Candidate;

/** Says how near a render comes: a point for an equal file, a part of one for a file that is alike. */
function comparison(mine: DiskTree): Compare {
  const lines = new Map([...mine].map(([path, { bytes }]) => [path, lazy(() => linesOf(bytes))]));
  const scores = new Map<string, Candidate>();
  return (templates, answers) => {
    const key = JSON.stringify([templates.version, answers]);
    const known = scores.get(key);
    if (known) {
      return known;
    }
    const tree = [...render(templates, answers)].filter(([path]) => path !== STATE_FILE);
    const remembered = [...rememberedOf(templates, answers)];
    const rendered = tree.map(([path, { bytes }]) => {
      const own = mine.get(path);
      if (!own) {
        return MISSING;
      }
      return equal(own.bytes, bytes)
        ? 1
        : similarity(lines.get(path)?.() ?? [], linesOf(bytes)) * ALIKE;
    });
    const others = remembered.map(([path, file]) => pointsOf(path, file, mine.get(path)));
    const points = [...rendered, ...others];
    const { lockfile } = entryNamed(templates.manifest.packageManagers, answers.packageManager);
    const score = points.reduce((sum, point) => sum + point, mine.has(lockfile) ? LOCKFILE : 0);
    const equals = points.filter((point) => point === 1).length;
    const candidate = { answers, templates, equal: equals, total: points.length, score };
    scores.set(key, candidate);
    return candidate;
  };
}

/** What a file tells that only its ids are known of. */
function pointsOf(path: string, file: Remembered, own: DiskFile | undefined): number {
  if (!own) {
    return MISSING;
  }
  return blobId(own.bytes) === file.blob ? 1 : isRemembered(path, file, own) ? ALIKE : EDITED;
}

function lazy<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}
