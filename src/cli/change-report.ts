import type { ChangelogEntry } from "../catalog/changelog.ts";
import { changeLine, countsOf } from "./change-wording.ts";
import type { Changing } from "./change.ts";
import { type ShownConflict, shownConflicts } from "./conflicts.ts";
import type { Ending } from "./change-install.ts";
import type { Report } from "./report.ts";

/** Tells of the changes of a service. */
export class ChangeReport {
  readonly #report: Report;
  readonly #changelog: readonly ChangelogEntry[];

  constructor(report: Report, changelog: readonly ChangelogEntry[] = []) {
    this.#report = report;
    this.#changelog = changelog;
  }

  progress<Result>(title: string, work: () => Promise<Result>): Promise<Result> {
    return this.#report.progress(title, work);
  }

  /** The answer to --dry-run. */
  planned(changing: Changing): void {
    const conflicts = shownConflicts(changing);
    if (this.#report.json) {
      this.#report.document({ plan: this.#data(changing, conflicts) });
      return;
    }
    this.#changes(changing);
    this.#log();
    this.#findings(changing);
    this.#conflicts(conflicts);
    this.#report.line(`${countsOf(changing.plan.changes)}; nothing was written`);
  }

  /** What will be done, before the last question. */
  summary(changing: Changing): void {
    this.#report.line();
    this.#changes(changing);
    this.#report.line();
  }

  written({ command, plan }: Changing): void {
    this.#report.good(`${command}: ${countsOf(plan.changes)}`);
  }

  /**
   * The end of a run that wrote its files. What was written is told whether or not they could be
   * installed; when they could not, that comes last, and its exit code is returned.
   */
  done(
    changing: Changing,
    { installed = false, failure }: Ending,
    nextSteps: readonly string[],
  ): number | undefined {
    const conflicts = shownConflicts(changing);
    if (this.#report.json) {
      const changed = this.#data(changing, conflicts);
      return this.#report.result({ changed, installed, nextSteps }, failure);
    }
    if (changing.plan.changes.length === 0 && conflicts.length === 0) {
      this.#report.good("Nothing to do: the service is as this command makes it");
    }
    this.#log();
    this.#findings(changing);
    this.#conflicts(conflicts);
    this.#report.nextSteps(nextSteps);
    return failure && this.#report.failure(failure.error);
  }

  #changes({ plan, command }: Changing): void {
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

  #findings({ plan }: Changing): void {
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

  #data({ command, service, answers, templates, plan }: Changing, conflicts: ShownConflict[]) {
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
