import { structuredPatch } from "diff";

import type { Conflict } from "../plan/plan.ts";
import type { Changing } from "./change.ts";

/** A conflict as it is shown: where it is, and what the template wanted there. */
export interface ShownConflict extends Omit<Conflict, "template"> {
  /** First and last line of each marked block. */
  lines: [first: number, last: number][];
  /** The template's own change, as lines that start with "-" or "+". */
  template: string[];
}

// What is longer is better seen in the file itself.
const SHOWN_LINES = 12;

/** The conflicts of a plan with what one needs to decide them. */
export function shownConflicts({ plan, base, theirs }: Changing): ShownConflict[] {
  return plan.conflicts.map(({ template, ...conflict }) => {
    const after = plan.changes.find(({ path }) => path === conflict.path)?.after;
    const blocks = after ? blocksOf(textOf(after)) : [];
    return {
      ...conflict,
      lines: blocks.map(({ first, last }) => [first, last]),
      template: templateChange(
        textOf(base.get(template?.was ?? conflict.path)),
        textOf(theirs.get(template?.wanted ?? conflict.path)),
        blocks.flatMap((block) => block.theirs),
      ),
    };
  });
}

interface Block {
  first: number;
  last: number;
  theirs: string[];
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let block: Block | undefined;
  let inTheirs = false;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.startsWith("<<<<<<< ")) {
      block = { first: index + 1, last: index + 1, theirs: [] };
      inTheirs = false;
    } else if (block && line === "=======") {
      inTheirs = true;
    } else if (block && line.startsWith(">>>>>>> ")) {
      blocks.push({ ...block, last: index + 1 });
      block = undefined;
    } else if (block && inTheirs) {
      block.theirs.push(line);
    }
  }
  return blocks;
}

/** The part of the template's change that has to do with these lines. */
function templateChange(before: string, after: string, lines: readonly string[]): string[] {
  if (before === "") {
    return [];
  }
  const { hunks } = structuredPatch("", "", before, after, "", "", { context: 0 });
  const near = hunks.filter((hunk) =>
    hunk.lines.some((line) => line.startsWith("+") && lines.includes(line.slice(1))),
  );
  const shown = (near.length > 0 ? near : hunks).flatMap((hunk) => hunk.lines);
  const plain = shown.filter((line) => !line.startsWith("\\"));
  return plain.length > SHOWN_LINES
    ? [...plain.slice(0, SHOWN_LINES), `… and ${plain.length - SHOWN_LINES} lines more`]
    : plain;
}

function textOf(file: { bytes: Uint8Array } | undefined): string {
  return Buffer.from(file?.bytes ?? []).toString("utf8");
}
