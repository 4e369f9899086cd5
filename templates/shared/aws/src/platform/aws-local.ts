import { setTimeout as delay } from "node:timers/promises";
import { awsErrorName } from "./aws-errors.ts";
import { print } from "./command.ts";

const WAIT_SECONDS = 30;

/**
 * Makes something on a local server, which may have been started just now: it is asked again for half a minute.
 * @param there names of the errors which say that it is made already.
 * @throws the last refusal.
 */
export async function makeLocally(
  what: string,
  there: readonly string[],
  make: () => Promise<unknown>,
): Promise<void> {
  for (let second = 1; ; second += 1) {
    try {
      await make();
      return print(`${what} is made`);
    } catch (error) {
      if (there.includes(awsErrorName(error))) return print(`${what} is there already`);
      if (second === WAIT_SECONDS) throw error;
      await delay(1_000);
    }
  }
}
