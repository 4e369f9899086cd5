import { expect, test } from "vitest";
import { backoff } from "../../src/platform/waiting.ts";

test("each wait is up to twice as long as the one before, with a limit", () => {
  const range = { firstMs: 100, longestMs: 300 };
  for (const [attempt, longest] of [100, 200, 300, 300].entries()) {
    const ms = backoff(attempt + 1, range);
    expect(ms).toBeGreaterThanOrEqual(longest / 2);
    expect(ms).toBeLessThanOrEqual(longest);
  }
});
