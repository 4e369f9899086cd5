import type { KafkaRecord, OutgoingRecord } from "./port.ts";

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
    headers: new Map<string, Buffer | string>([
      ...originalHeaders(record),
      [`${PREFIX}reason`, reason],
      [`${PREFIX}error`, `${error.name}: ${error.message}`.slice(0, MAX_ERROR_LENGTH)],
      [`${PREFIX}attempts`, String(attempts)],
      [`${PREFIX}topic`, record.topic],
      [`${PREFIX}partition`, String(record.partition)],
      [`${PREFIX}offset`, String(record.offset)],
      [`${PREFIX}timestamp`, new Date(Number(record.timestamp)).toISOString()],
      [`${PREFIX}failed-at`, new Date().toISOString()],
    ]),
  };
}

/** What goes back to the topic that the letter came from: the record as it was. */
export function toReplay(letter: KafkaRecord): OutgoingRecord {
  return {
    topic: deadLetterFields(letter)["topic"] ?? letter.topic.replace(/\.dlq$/, ""),
    key: letter.key,
    value: letter.value,
    headers: new Map<string, Buffer | string>(originalHeaders(letter)),
  };
}

/** What a dead letter's headers tell: reason, error, attempts, topic, partition, offset, timestamp, failed-at. */
export function deadLetterFields({ headerEntries }: KafkaRecord): Record<string, string> {
  const own = headerEntries.filter(([name]) => name.toString().startsWith(PREFIX));
  return Object.fromEntries(
    own.map(([name, value]) => [name.toString().slice(PREFIX.length), value.toString()]),
  );
}

function originalHeaders({ headerEntries }: KafkaRecord): [string, Buffer][] {
  return headerEntries
    .map(([name, value]): [string, Buffer] => [name.toString(), value])
    .filter(([name]) => !name.startsWith(PREFIX));
}
