import { deadLetterFields, deadLetterTopic, toReplay } from "./dead-letters.ts";
import { takeBatch } from "./micro-batcher.ts";
import type { KafkaPort, KafkaRecord, Membership } from "./port.ts";
import { sizeOf } from "./publisher.ts";

export interface DeadLetterOptions {
  /** The topic that the letters were meant for. */
  topic: string;
  /** The service's group. What was replayed is remembered in a group of its own. */
  group: string;
  /** At most so many letters. */
  limit: number;
}

const BATCH = 100;
/** Nothing came for so long: what is missing was deleted meanwhile. */
const PATIENCE_MS = 10_000;
/** Another replay that was killed is waited for. */
const JOIN_LIMIT_MS = 60_000;

/** Describes the dead letters that were not replayed, oldest first in each partition. @returns how many. */
export function listDeadLetters(
  port: KafkaPort,
  options: DeadLetterOptions,
  print: (line: string) => void,
): Promise<number> {
  return visit(port, options, async (letters) => letters.map(describe).forEach(print));
}

/** Sends the dead letters that were not replayed back to where they came from. @returns how many. */
export function replayDeadLetters(port: KafkaPort, options: DeadLetterOptions): Promise<number> {
  return visit(port, options, async (letters, membership) => {
    const waiting = letters.map((letter) => {
      const record = toReplay(letter, options.topic);
      return { letter, record, bytes: sizeOf(record) };
    });
    while (waiting.length > 0) {
      const sent = takeBatch(waiting);
      await port.send(sent.map(({ record }) => record));
      const last = new Map(sent.map(({ letter }) => [letter.partition, letter]));
      await membership.commit([...last.values()], AbortSignal.timeout(PATIENCE_MS));
    }
  });
}

async function visit(
  port: KafkaPort,
  { topic, group, limit }: DeadLetterOptions,
  look: (letters: KafkaRecord[], membership: Membership) => Promise<void>,
): Promise<number> {
  const membership = await port.join(
    `${group}-dlq-replay`,
    deadLetterTopic(topic),
    AbortSignal.timeout(JOIN_LIMIT_MS),
  );
  try {
    const waiting = (await membership.lag()).values().reduce((sum, lag) => sum + lag, 0);
    const wanted = Math.min(waiting, limit);
    let seen = 0;
    while (seen < wanted) {
      const letters = await membership.read(Math.min(BATCH, wanted - seen), PATIENCE_MS);
      if (letters === "rebalanced") throw new Error("somebody else replays these dead letters now");
      if (letters.length === 0) break;
      await look(letters, membership);
      seen += letters.length;
    }
    return seen;
  } finally {
    await membership.leave();
  }
}

function describe(letter: KafkaRecord): string {
  const { partition, offset, key } = letter;
  const { reason, error, attempts, topic, timestamp, ...rest } = deadLetterFields(letter);
  const origin = `${topic}/${rest["partition"]}/${rest["offset"]}`;
  return [
    `${partition}/${offset}  ${rest["failed-at"]}  ${reason} after ${attempts} attempts: ${error}`,
    `    from ${origin} of ${timestamp}, key ${key?.toString() ?? "none"}, ${letter.value?.length ?? 0} bytes`,
  ].join("\n");
}
