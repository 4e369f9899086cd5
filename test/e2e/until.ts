import { setTimeout as delay } from "node:timers/promises";

// The end of waiting for what will never happen.
const PATIENCE_MS = 300_000;
const PAUSE_MS = 50;

/** Asks again and again until there is an answer. @throws when there never is. */
export async function until<Answer>(
  what: string,
  ask: () => Answer | undefined | false | Promise<Answer | undefined | false>,
): Promise<Answer> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`never seen: ${what}`);
    await delay(PAUSE_MS);
  }
}
