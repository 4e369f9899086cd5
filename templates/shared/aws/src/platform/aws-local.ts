import { setTimeout as delay } from "node:timers/promises";
import { awsErrorName } from "./aws-errors.ts";
import { print } from "./command.ts";

const TRIES = 30;

/**
 * Creates a table, bucket or the like on a local server. The server may have been started just now, so this is tried
 * once a second for half a minute.
 * @param existsErrors names of the errors by which the server says that it already exists.
 * @throws the last error.
 */
export async function createLocalResource(
  what: string,
  existsErrors: readonly string[],
  create: () => Promise<unknown>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await create();
      return print(`${what} created`);
    } catch (error) {
      if (existsErrors.includes(awsErrorName(error))) return print(`${what} already exists`);
      if (attempt === TRIES) throw error;
      await delay(1_000);
    }
  }
}
