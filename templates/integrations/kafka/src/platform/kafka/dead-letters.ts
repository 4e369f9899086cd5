import type { KafkaRecord, OutgoingHeader, OutgoingRecord } from "./port.ts";

/** Where the records of a topic go that could not be processed. */
export function deadLetterTopic(topic: string): string {
  return `${topic}.dlq`;
}

/** Why a record was given up. */
export interface Verdict {
  reason: "malformed" | "unknown_type" | "handler_failed";
  error: Error;
  /** How often the handler was called. */
  attempts: number;
}

const PREFIX = "x-dlq-";
/** The record with its error still has to be smaller than what a broker accepts. */
const MAX_ERROR_LENGTH = 1_000;

/** The record as it was, with headers that tell where it comes from and what was wrong. */
export function toDeadLetter(
  record: KafkaRecord,
  { reason, error, attempts }: Verdict,
): OutgoingRecord {
  return {
    topic: deadLetterTopic(record.topic),
    key: record.key,
    value: record.value,
    headers: [
      ...originalHeaders(record),
      [`${PREFIX}reason`, reason],
      [`${PREFIX}error`, `${error.name}: ${error.message}`.slice(0, MAX_ERROR_LENGTH)],
      [`${PREFIX}attempts`, String(attempts)],
      [`${PREFIX}topic`, record.topic],
      [`${PREFIX}partition`, String(record.partition)],
      [`${PREFIX}offset`, String(record.offset)],
      [`${PREFIX}timestamp`, timeOf(record)],
      [`${PREFIX}failed-at`, new Date().toISOString()],
    ],
    compressed: true,
  };
}

/** What goes back to `topic`, which the letter came from: the record as it was. */
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

/** Publishers choose a record's time, and not all of them mean milliseconds. */
function timeOf({ timestamp }: KafkaRecord): string {
  const time = new Date(Number(timestamp));
  return Number.isNaN(time.getTime()) ? String(timestamp) : time.toISOString();
}
