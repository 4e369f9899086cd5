import { vi } from "vitest";

/** Asks again and again until the answer comes without an error. Only what never happens takes so long. */
export function eventually<Answer>(ask: () => Answer | Promise<Answer>): Promise<Answer> {
  return vi.waitFor(ask, { timeout: 30_000, interval: 5 });
}
