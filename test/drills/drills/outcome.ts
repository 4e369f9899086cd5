import type { Tally } from "../load.ts";
import type { Subject } from "../subject.ts";

/** What a drill came to. */
export interface Outcome {
  /** For the table. */
  text: string;
  /** How much went wrong; 0 is perfect, and fewer is better. */
  wrong: number;
  /** Requests sent, where none of them had to fail. */
  sent?: number;
}

/** One thing that happens in production, done to a running service. */
export interface Drill {
  title: string;
  /** What must not go wrong, in a few words for the table. */
  counts: string;
  /** `requests`: go on until so many were sent. */
  perform: (subject: Subject, requests: number) => Promise<Outcome>;
}

/** Milliseconds between what is done to a service, and before the first. */
export const PAUSE_MS = 1_000;

/** The outcome where no request may fail. @param remark what else went wrong, which counts like one of them. */
export function failuresOf(tally: Tally, remark: string): Outcome {
  const kinds = new Map<string, number>();
  for (const { kind } of tally.failures) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const details = [...kinds].map(([kind, times]) => `${times} ${kind}`).join(", ");
  return {
    text: `${grouped(tally.failures.length)} of ${grouped(tally.sent)}${details && ` (${details})`}${remark}`,
    wrong: tally.failures.length + (remark === "" ? 0 : 1),
    sent: tally.sent,
  };
}

/** A remark on a service that ended when it should not have. */
export function describeEnd(end: number | string | undefined): string {
  return end === undefined ? "" : `, service stopped (exit ${end})`;
}

export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
