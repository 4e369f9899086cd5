import { AppError } from "../errors.ts";
import { TimeoutError } from "../timing.ts";

/** When each signal of `deadlineSignal` will be aborted, in milliseconds of performance.now(). */
const ends = new WeakMap<AbortSignal, number>();

/**
 * A signal that is aborted after `ms`, or with `signal`, whichever comes first: what several calls may take together.
 * Calls over HTTP, to AWS and to a database take it as they take any signal; calls over gRPC also tell the server how
 * much time is left, and never wait longer, whatever time-out of their own they have.
 */
export function deadlineSignal(ms: number, signal?: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const end = Math.min(performance.now() + ms, endOf(signal));
  const late = new AppError("EXTERNAL_SERVICE_ERROR", "An upstream service did not answer", {
    cause: new TimeoutError(`the ${ms} ms for these calls are over`),
  });
  setTimeout(() => controller.abort(late), end - performance.now()).unref();
  const { signal: own } = controller;
  const both = signal === undefined ? own : AbortSignal.any([signal, own]);
  ends.set(both, end);
  return both;
}

/** The milliseconds until a signal's deadline, at least 0; infinite for a signal without one. */
export function timeLeft(signal: AbortSignal | undefined): number {
  return Math.max(0, endOf(signal) - performance.now());
}

function endOf(signal: AbortSignal | undefined): number {
  return (signal && ends.get(signal)) ?? Infinity;
}
