import type { FetchedPartition, RecordsBatch } from "./library.ts";
import type { KafkaRecord } from "./port.ts";

const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** The records of a fetched partition that a reader gets, from `from` on, and the offset after all of them. */
export function readRecords(
  topic: string,
  { partitionIndex: partition, records: batches, abortedTransactions }: FetchedPartition,
  from: bigint,
): { records: KafkaRecord[]; next: bigint } {
  const records: KafkaRecord[] = [];
  const aborted = new AbortedTransactions(abortedTransactions ?? []);
  let next = from;
  for (const batch of batches ?? []) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    if (last >= next) next = last + 1n;
    if (aborted.contains(batch, last) || (batch.attributes & CONTROL) !== 0) continue;
    for (const record of batch.records) {
      const offset = batch.firstOffset + BigInt(record.offsetDelta);
      // Batches come whole, also when reading begins in the middle of one.
      if (offset < from) continue;
      records.push({
        topic,
        partition,
        offset,
        timestamp: timeOf(batch, record.timestampDelta),
        key: record.key ?? undefined,
        value: record.value ?? undefined,
        headerEntries: record.headers.map(([name, value]) => [name ?? EMPTY, value ?? undefined]),
      });
    }
  }
  return { records, next };
}

const EMPTY = Buffer.alloc(0);

function timeOf(batch: RecordsBatch, delta: bigint): bigint {
  return (batch.attributes & LOG_APPEND_TIME) !== 0
    ? batch.maxTimestamp
    : batch.firstTimestamp + delta;
}

/** Which batches belong to transactions that were aborted. The broker only names where each one begins. */
class AbortedTransactions {
  readonly #begins: { producerId: bigint; firstOffset: bigint }[];
  readonly #open = new Set<bigint>();

  constructor(begins: readonly { producerId: bigint; firstOffset: bigint }[]) {
    this.#begins = begins.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  }

  /** To be asked for each batch in order. */
  contains(batch: RecordsBatch, last: bigint): boolean {
    while (this.#begins[0] !== undefined && this.#begins[0].firstOffset <= last) {
      this.#open.add(this.#begins.shift()!.producerId);
    }
    if ((batch.attributes & CONTROL) !== 0) {
      this.#open.delete(batch.producerId);
      return false;
    }
    return (batch.attributes & TRANSACTIONAL) !== 0 && this.#open.has(batch.producerId);
  }
}
