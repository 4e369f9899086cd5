import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Answers } from "../../src/answers/schema.ts";
import { render } from "../../src/plan/render.ts";
import { answersWith, templates } from "./templates.ts";

const ROOT = join(import.meta.dirname, "../snapshots/trees");

// No tool may take an approved file for one of the project's own.
const SUFFIX = ".snap";

export interface Approved {
  title: string;
  answers: Answers;
  /** The service of which this one is a variant: what they have in common is approved there. */
  beside?: Answers;
}

/** The services of which every byte is approved: the plain one of each framework, and one with every integration. */
export const APPROVED: readonly Approved[] = [
  ...templates.manifest.frameworks.map(({ name }) => ({
    title: name,
    answers: answersWith({ framework: name }),
  })),
  {
    title: "all-integrations",
    answers: answersWith({ integrations: templates.manifest.integrations.map(({ name }) => name) }),
    beside: answersWith({}),
  },
];

/** A service's files as they are rendered now, without those that are the same in the one beside it. */
export function currentTree({ answers, beside }: Approved): Map<string, string> {
  const tree = textsOf(answers);
  if (beside === undefined) return tree;
  const common = textsOf(beside);
  return new Map([...tree].filter(([path, text]) => common.get(path) !== text));
}

function textsOf(answers: Answers): Map<string, string> {
  return new Map(
    [...render(templates, answers)].map(([path, { bytes, mode }]) => [
      // The mode is part of what is approved.
      mode === 0o755 ? `${path} (executable)` : path,
      Buffer.from(bytes).toString("utf8"),
    ]),
  );
}

/** The same files as they were approved. */
export function approvedTree(title: string): Map<string, string> {
  const root = join(ROOT, title);
  return new Map(
    readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(SUFFIX))
      .map((path) => [path.slice(0, -SUFFIX.length), readFileSync(join(root, path), "utf8")]),
  );
}

/** Approves what is rendered now. */
export function approve(title: string, tree: ReadonlyMap<string, string>): void {
  rmSync(join(ROOT, title), { recursive: true, force: true });
  for (const [path, text] of tree) {
    const file = join(ROOT, title, `${path}${SUFFIX}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
