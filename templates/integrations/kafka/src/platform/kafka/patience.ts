import { addAbortListener } from "node:events";

/** What is done at the end has to end even when no broker answers. */
const LIMIT_MS = 2_000;

/** Waits for `work`, but gives up with `signal`. */
export async function unlessAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  work.catch(() => {}); // Nobody may be left to hear of it.
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  using _listener = addAbortListener(signal, () => reject(signal.reason as Error));
  return await Promise.race([work, aborted]);
}

/** Waits for `work`, whatever becomes of it, and not for long. */
export async function patiently(work: Promise<unknown> | undefined): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LIMIT_MS);
  await Promise.race([work?.catch(() => {}), late]);
  clearTimeout(timer);
}
