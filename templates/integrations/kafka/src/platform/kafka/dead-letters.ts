import { timeText } from "./events.ts";
import type { KafkaRecord, OutgoingHeader, OutgoingRecord } from "./port.ts";

/** The topic for the records of a topic that could not be processed. */
export function deadLetterTopic(topic: string): string {
  return `${topic}.dlq`;
}

/** Why a record could not be processed. */
export interface DeadLetterReason {
  reason: "malformed" | "unknown_type" | "handler_failed";
  error: Error;
  /** How often the handler was called. */
  attempts: number;
}

/** What a dead letter keeps of its record, when its topic does not accept all of it. */
export type Kept = "everything" | "headers" | "nothing";

const PREFIX = "x-dlq-";
const MAX_ERROR_LENGTH = 1_000;
/** Together with the other headers below what any broker accepts. */
const MAX_KEY_LENGTH = 1_000;

/** The record as it was, with headers that tell where it comes from and what was wrong. */
export function toDeadLetter(
  record: KafkaRecord,
  { reason, error, attempts }: DeadLetterReason,
  kept: Kept = "everything",
): OutgoingRecord {
  const { topic, partition, offset, timestamp, key, value } = record;
  const bytes = String(value?.length ?? 0);
  return {
    topic: deadLetterTopic(topic),
    key: kept === "nothing" ? key?.subarray(0, MAX_KEY_LENGTH) : key,
    value: kept === "everything" ? value : undefined,
    headers: [
      ...(kept === "nothing" ? [] : originalHeaders(record)),
      [`${PREFIX}reason`, reason],
      [`${PREFIX}error`, `${error.name}: ${error.message}`.slice(0, MAX_ERROR_LENGTH)],
      [`${PREFIX}attempts`, String(attempts)],
      [`${PREFIX}topic`, topic],
      [`${PREFIX}partition`, String(partition)],
      [`${PREFIX}offset`, String(offset)],
      [`${PREFIX}timestamp`, timeText(timestamp)],
      [`${PREFIX}failed-at`, new Date().toISOString()],
      ...(kept === "everything" ? [] : [[`${PREFIX}omitted-bytes`, bytes] as const]),
    ],
    compressed: true,
  };
}

/** Whether the letter is without the value of its record, which was too large. */
export function isIncomplete(letter: KafkaRecord): boolean {
  return deadLetterFields(letter)["omitted-bytes"] !== undefined;
}

/** What goes back to `topic`, from which the letter came: the record as it was. */
export function toReplay(letter: KafkaRecord, topic: string): OutgoingRecord {
  const { key, value } = letter;
  return { topic, key, value, headers: originalHeaders(letter), compressed: true };
}

/** What a dead letter's headers tell: reason, error, attempts, topic, partition, offset, timestamp, failed-at. */
export function deadLetterFields({ headerEntries }: KafkaRecord): Record<string, string> {
  return Object.fromEntries(
    headerEntries
      .filter(isOurs)
      .map(([name, value]) => [name.toString().slice(PREFIX.length), String(value)]),
  );
}

function originalHeaders({ headerEntries }: KafkaRecord): OutgoingHeader[] {
  return headerEntries.filter((header) => !isOurs(header));
}

function isOurs([name]: OutgoingHeader): boolean {
  return name.toString().startsWith(PREFIX);
}
