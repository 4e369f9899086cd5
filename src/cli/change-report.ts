import { structuredPatch } from "diff";

import type { Answers } from "../answers/schema.ts";
import type { ChangelogEntry } from "../catalog/changelog.ts";
import type { Templates } from "../catalog/templates.ts";
import type { Change, Conflict, Plan } from "../plan/plan.ts";
import type { Tree } from "../plan/tree.ts";
import type { Service } from "./open-service.ts";
import type { Report } from "./report.ts";

/** What a service should become. */
export interface ChangeRequest {
  /** The command line that asks for it, without its flags. */
  command: string;
  answers: Answers;
  templates: Templates;
  /** Somebody was asked for it, and so is asked once more before anything is written. */
  asked: boolean;
}

/** A request, and what it takes to fulfil it. */
export interface PlannedChange extends ChangeRequest {
  service: Service;
  plan: Plan;
  /** What the template once wrote, and what it writes now. */
  base: Tree;
  theirs: Tree;
}

/** What became of a service's packages after its files were written. */
export interface InstallResult {
  /** Undefined when there was nothing to install. */
  installed: boolean | undefined;
  /** Why the install failed. It is reported last, because the files are written all the same. */
  failure?: { error: unknown };
}

/** A conflict as it is shown: where it is, and what the template wanted there. */
export interface ShownConflict extends Omit<Conflict, "template"> {
  /** First and last line of each marked block. */
  lines: [first: number, last: number][];
  /** The template's own change, as lines that start with "-" or "+". */
  template: string[];
}

/** Tells the user about the changes of a service. */
export class ChangeReport {
  readonly #report: Report;
  readonly #changelog: readonly ChangelogEntry[];

  constructor(report: Report, changelog: readonly ChangelogEntry[] = []) {
    this.#report = report;
    this.#changelog = changelog;
  }

  progress<Result>(
    title: string,
    work: (say: (detail: string) => void) => Promise<Result>,
  ): Promise<Result> {
    return this.#report.progress(title, work);
  }

  /** The answer to --dry-run. */
  planned(planned: PlannedChange): void {
    const conflicts = shownConflicts(planned);
    if (this.#report.json) {
      this.#report.document({ plan: this.#data(planned, conflicts) });
      return;
    }
    this.#changes(planned);
    this.#log();
    this.#findings(planned);
    this.#conflicts(conflicts);
    this.#report.line(`${countsOf(planned.plan.changes)}; nothing was written`);
  }

  /** What will be done, before the last question. */
  summary(planned: PlannedChange): void {
    this.#report.line();
    this.#changes(planned);
    this.#report.line();
  }

  written({ command, plan }: PlannedChange): void {
    this.#report.good(`${command}: ${countsOf(plan.changes)}`);
  }

  /**
   * The end of a run that wrote its files. What was written is told whether or not they could be
   * installed; when they could not, that comes last, and its exit code is returned.
   */
  done(
    planned: PlannedChange,
    { installed = false, failure }: InstallResult,
    nextSteps: readonly string[],
  ): number | undefined {
    const conflicts = shownConflicts(planned);
    if (this.#report.json) {
      const changed = this.#data(planned, conflicts);
      return this.#report.result({ changed, installed, nextSteps }, failure);
    }
    if (planned.plan.changes.length === 0 && conflicts.length === 0) {
      this.#report.good("Nothing to do: the service is as this command makes it");
    }
    this.#log();
    this.#findings(planned);
    this.#conflicts(conflicts);
    this.#report.nextSteps(nextSteps);
    return failure && this.#report.failure(failure.error);
  }

  #changes({ plan, command }: PlannedChange): void {
    this.#report.line(`${command}:`);
    plan.changes.forEach((change) => this.#report.line(changeLine(change)));
  }

  #log(): void {
    for (const { version, changes } of this.#changelog) {
      this.#report.line();
      this.#report.line(`Templates ${version}:`);
      for (const text of changes) {
        this.#report.line(`  - ${text}`);
      }
    }
  }

  #findings({ plan }: PlannedChange): void {
    for (const { path, message } of plan.findings) {
      this.#report.line(`- ${path}: ${message}`);
    }
  }

  #conflicts(conflicts: readonly ShownConflict[]): void {
    for (const { path, lines, message, beside, template } of conflicts) {
      const where = lines.map(([first, last]) => `${first}-${last}`).join(", ");
      this.#report.bad(`${path}${where && `, lines ${where}`}: ${message}`);
      if (beside !== undefined) {
        this.#report.line(
          `    the template's is in ${beside}; make one of the two, delete the other`,
        );
      }
      if (template.length > 0) {
        this.#report.line("    what the template changed there:");
        template.forEach((line) => this.#report.line(`      ${line}`));
      }
    }
  }

  #data({ command, service, answers, templates, plan }: PlannedChange, conflicts: ShownConflict[]) {
    return {
      command,
      directory: service.root,
      templateVersion: { from: service.state.templateVersion, to: templates.version },
      answers,
      changes: plan.changes.map(({ path, kind, conflicts: marked, notes }) => ({
        path,
        kind,
        conflicts: marked,
        notes,
      })),
      conflicts,
      findings: plan.findings,
      ...(this.#changelog.length > 0 && { changelog: this.#changelog }),
    };
  }
}

const SIGNS = { create: "+", update: "~", delete: "-" } as const;

/** A change as a line of a plan. */
export function changeLine({ path, kind, conflicts }: Change): string {
  return `  ${SIGNS[kind]} ${path}${conflicts > 0 ? `  (${conflicts} to decide)` : ""}`;
}

/** As in "3 created, 1 changed". */
export function countsOf(changes: readonly Change[]): string {
  const count = (kind: Change["kind"]) => changes.filter((change) => change.kind === kind).length;
  const counts = [
    [count("create"), "created"],
    [count("update"), "changed"],
    [count("delete"), "deleted"],
  ] as const;
  const parts = counts
    .filter(([number]) => number > 0)
    .map(([number, verb]) => `${number} ${verb}`);
  return parts.length > 0 ? parts.join(", ") : "nothing to change";
}

// More is better read in the file itself.
const SHOWN_LINES = 12;

/** The conflicts of a plan with what one needs to decide them. */
export function shownConflicts({ plan, base, theirs }: PlannedChange): ShownConflict[] {
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
