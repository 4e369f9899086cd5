import { expect, test } from "vitest";
import { abortable, backoff, TimeoutError, withTimeout } from "../../src/platform/timing.ts";

const never = new Promise<string>(() => {});

test("work in time gives its result, and its own failure", async () => {
  expect(await withTimeout(Promise.resolve("done"), 60_000)).toBe("done");
  await expect(withTimeout(Promise.reject(new Error("no")), 60_000)).rejects.toThrow("no");
});

test("work that takes too long is an error that says so", async () => {
  await expect(withTimeout(never, 1)).rejects.toThrow(new TimeoutError("no answer within 1 ms"));
  await expect(withTimeout(never, 1, "the broker is silent")).rejects.toThrow("broker is silent");
});

test("an aborted signal ends the wait", async () => {
  const aborted = new AbortController();
  const waiting = abortable(never, aborted.signal);
  aborted.abort(new Error("stopping"));
  await expect(waiting).rejects.toThrow("stopping");
  await expect(abortable(never, aborted.signal)).rejects.toThrow("stopping");
  expect(await abortable(Promise.resolve(1), new AbortController().signal)).toBe(1);
});

test("each wait is up to twice as long as the one before, with a limit", () => {
  const range = { firstMs: 100, longestMs: 300 };
  for (const [attempt, longest] of [100, 200, 300, 300].entries()) {
    const ms = backoff(attempt + 1, range);
    expect(ms).toBeGreaterThanOrEqual(longest / 2);
    expect(ms).toBeLessThanOrEqual(longest);
  }
});
