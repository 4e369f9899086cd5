import { expect, test } from "vitest";
import { abortable, backoff } from "../../src/platform/waiting.ts";

const never = new Promise<string>(() => {});

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
