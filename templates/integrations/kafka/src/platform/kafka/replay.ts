import { visible } from "../command.ts";
import { withTimeout } from "../timing.ts";
import { deadLetterFields, deadLetterTopic, isIncomplete, toReplay } from "./dead-letters.ts";
import { takeBatch } from "./micro-batcher.ts";
import type { GroupReader, KafkaPort, KafkaRecord, Membership } from "./port.ts";
import { sizeOf } from "./publisher.ts";

export interface DeadLetterOptions {
  /** The topic that the letters were meant for. */
  topic: string;
  /** The service's group. What was replayed is remembered in a group of its own. */
  group: string;
  /** The maximum number of letters. */
  limit: number;
}

const BATCH = 100;
/** When nothing comes for so long, what is missing was deleted meanwhile. */
const SILENCE_MS = 10_000;
/** As long as it takes until the group gives up another replay that was killed. */
const JOIN_LIMIT_MS = 60_000;

/** Describes the dead letters that were not replayed, oldest first in each partition. @returns how many. */
export function listDeadLetters(
  port: KafkaPort,
  options: DeadLetterOptions,
  print: (line: string) => void,
): Promise<number> {
  return visit(port, options, async (letters) => letters.map(describe).forEach(print));
}

/**
 * Sends the dead letters that were not replayed back to where they came from; one without its value is only described.
 * @returns how many were sent.
 */
export async function replayDeadLetters(
  port: KafkaPort,
  options: DeadLetterOptions,
  print: (line: string) => void = () => {},
): Promise<number> {
  let incomplete = 0;
  const seen = await visit(port, options, async (letters, membership) => {
    for (const letter of letters.filter(isIncomplete)) {
      print(`not replayed, as its value was too large to keep:\n${describe(letter)}`);
      incomplete += 1;
    }
    const waiting = letters.map((letter) => {
      const record = toReplay(letter, options.topic);
      return { letter, record, bytes: sizeOf(record) };
    });
    while (waiting.length > 0) {
      const batch = takeBatch(waiting);
      const whole = batch.filter(({ letter }) => !isIncomplete(letter));
      await port.send(whole.map(({ record }) => record));
      const offsets = new Map(
        batch.map(({ letter }) => [letter.partition, letter.offset + 1n] as const),
      );
      await membership.commit(offsets, AbortSignal.timeout(SILENCE_MS));
    }
  });
  return seen - incomplete;
}

/** Keeps the letters that were read until they are asked for. */
class LetterBox implements GroupReader {
  isRebalanced = false;
  readonly #letters: KafkaRecord[] = [];
  #arrival = Promise.withResolvers<void>();
  #joined = false;

  onRebalance(): void {
    this.isRebalanced = this.#joined;
    this.#joined = true;
    this.#arrival.resolve();
  }

  onRecords(_partition: number, records: readonly KafkaRecord[]): void {
    this.#letters.push(...records);
    this.#arrival.resolve();
  }

  onGap(): void {}

  /** The next ones; none when none came for a while. */
  async take(max: number): Promise<KafkaRecord[]> {
    if (this.#letters.length === 0 && !this.isRebalanced) {
      this.#arrival = Promise.withResolvers();
      await withTimeout(this.#arrival.promise, SILENCE_MS).catch(() => {});
    }
    return this.#letters.splice(0, max);
  }
}

async function visit(
  port: KafkaPort,
  { topic, group, limit }: DeadLetterOptions,
  look: (letters: KafkaRecord[], membership: Membership) => Promise<void>,
): Promise<number> {
  const box = new LetterBox();
  const membership = await port.join(
    {
      group: `${group}-dlq-replay`,
      topic: deadLetterTopic(topic),
      signal: AbortSignal.timeout(JOIN_LIMIT_MS),
    },
    box,
  );
  try {
    const waiting = (await membership.lag()).values().reduce((sum, lag) => sum + lag, 0);
    const wanted = Math.min(waiting, limit);
    let seen = 0;
    while (seen < wanted) {
      const letters = await box.take(Math.min(BATCH, wanted - seen));
      if (box.isRebalanced) throw new Error("somebody else replays these dead letters now");
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
  const entries = Object.entries(deadLetterFields(letter));
  const fields = Object.fromEntries(entries.map(([name, text]) => [name, visible(text)]));
  const { reason, error, attempts, topic, timestamp, ...rest } = fields;
  const origin = `${topic}/${rest["partition"]}/${rest["offset"]}`;
  const omitted = rest["omitted-bytes"];
  const size =
    omitted === undefined ? `${letter.value?.length ?? 0} bytes` : `${omitted} bytes left out`;
  return [
    `${partition}/${offset}  ${rest["failed-at"]}  ${reason} after ${attempts} attempts: ${error}`,
    `    from ${origin} of ${timestamp}, key ${visible(key?.toString() ?? "none")}, ${size}`,
  ].join("\n");
}
