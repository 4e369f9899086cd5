import { type Exchange, watch } from "./wire/exchange.ts";
import type { Target } from "./target.ts";

/** `must`: a caller, the load balancer or a dashboard sees it. `hardening`: goes beyond the standard's words. */
export type Level = "must" | "hardening";

/** One demand of the standard, and the experiment that shows whether a service meets it. */
export interface Check {
  /** `area.what`, for reports and for running one alone. */
  id: string;
  /** The sentence of the standard that is checked, word for word. */
  sentence: string;
  /** Left out: a must. */
  level?: "hardening";
  /** A weak service can go down under it, so it needs the leave of whoever runs the service. */
  destructive?: true;
  /**
   * Returns when the service meets the sentence, with a note when something was measured.
   * @throws {Violation} when it does not.
   * @throws {NotChecked} when the target lacks what the experiment needs.
   */
  run(target: Target): Promise<string | void>;
}

export interface Result {
  id: string;
  sentence: string;
  level: Level;
  outcome: "passed" | "failed" | "not checked";
  /** What was measured, what was wrong, or what was missing. */
  note: string;
  /** What was sent and what came last, when it failed. */
  exchange?: Exchange;
}

/** The service broke the standard. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** The target lacks what a check needs. */
export class NotChecked extends Error {
  override readonly name = "NotChecked";
}

/** What a report says of each part of a target that is missing. */
const MISSING: Record<Exclude<keyof Target, "url" | "destructive">, string> = {
  metricsUrl: "the address of the metrics is not given",
  jsonRoute: "no POST route for JSON is known, with a body that it accepts",
  probes: "it needs routes that fail on purpose",
  output: "its standard output cannot be read",
  launch: "the command that starts the service is not given",
  dependencies: "it needs to stop what the service depends on",
};

/** `part` of a target, which may be missing. @throws {NotChecked} when it is. */
export function needed<Part>(part: Part | undefined, name: keyof typeof MISSING): Part {
  if (part === undefined) throw new NotChecked(MISSING[name]);
  return part;
}

/** Runs one check; an error of any kind counts as failed, never as passed. `signal` ends its waiting. */
export async function runCheck(
  check: Check,
  target: Target,
  signal?: AbortSignal,
): Promise<Result> {
  const { id, sentence, level = "must" } = check;
  const exchange: Exchange = { sent: "", came: "" };
  try {
    if (check.destructive && target.destructive === false) {
      throw new NotChecked("it could take a weak service down");
    }
    const note = await watch(exchange, signal, () => check.run(target));
    return { id, sentence, level, outcome: "passed", note: note ?? "" };
  } catch (error) {
    const note = error instanceof Error ? error.message : String(error);
    if (error instanceof NotChecked) return { id, sentence, level, outcome: "not checked", note };
    const seen = exchange.sent === "" ? {} : { exchange };
    return { id, sentence, level, outcome: "failed", note, ...seen };
  }
}
