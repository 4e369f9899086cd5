/** A record as it came from a broker. Nothing of it is decoded yet, so nothing of it can be malformed. */
export interface KafkaRecord {
  topic: string;
  partition: number;
  offset: bigint;
  /** Milliseconds since 1970. */
  timestamp: bigint;
  key: Buffer | undefined;
  /** Undefined for a tombstone, by which a compacted topic forgets a key. */
  value: Buffer | undefined;
  /** A name may come several times, and its value may be missing. */
  headerEntries: readonly (readonly [name: Buffer, value: Buffer | undefined])[];
}

/** A record to write. Those with equal keys stay in order. */
export interface OutgoingRecord {
  topic: string;
  key: Buffer | undefined;
  value: Buffer | undefined;
  headers: OutgoingHeader[];
  /** Send it compressed: for a record that another client may have compressed, and that fits only so. */
  compressed?: boolean;
}

export type OutgoingHeader = readonly [name: Buffer | string, value: Buffer | string | undefined];

/** The topic accepts no record of this size. */
export class RecordTooLargeError extends Error {
  override readonly name = "RecordTooLargeError";
}

/** How the partitions of a member have changed. */
export interface Rebalance {
  /** New here: they are read from what the group has committed, or else from the earliest record. */
  assigned: readonly number[];
  /** Given to other members: their records are no longer this member's business. */
  revoked: readonly number[];
  /** All that the member has now. */
  owned: readonly number[];
}

/** What a member of a group tells while it reads. */
export interface GroupReader {
  onRebalance(change: Rebalance): void;
  /**
   * Records of a partition, in order.
   * @param next the offset after them, and after what readers do not get, such as the marker of a transaction.
   */
  onRecords(partition: number, records: readonly KafkaRecord[], next: bigint): void;
  /** Records were deleted by the topic's retention before they were read. */
  onGap(partition: number, from: bigint, to: bigint): void;
}

/** A place in a consumer group that reads one topic. */
export interface Membership {
  /** Rejects when the membership has ended by itself; then nothing more is read. */
  readonly ended: Promise<never>;
  /** Stops and resumes reading a partition. */
  pause(partition: number): void;
  resume(partition: number): void;
  /**
   * Commits, by partition, the offset of the next record to read. Partitions that are no longer owned are left out.
   * @param signal ends the wait for a group that is rebalancing.
   */
  commit(offsets: ReadonlyMap<number, bigint>, signal: AbortSignal): Promise<void>;
  /** Records that the group has not committed, of every partition of the topic. */
  lag(): Promise<ReadonlyMap<number, number>>;
  /** @throws when the topic has not been readable for several seconds. */
  check(): void;
  leave(): Promise<void>;
}

export interface JoinOptions {
  group: string;
  topic: string;
  /** Ends the wait for a broker, which can take long. */
  signal: AbortSignal;
}

/** What this service needs of a Kafka client. The real one and the one in memory both have this shape. */
export interface KafkaPort {
  /**
   * Resolves when every in-sync replica has all records, which are for one topic.
   * @throws {RecordTooLargeError}
   */
  send(records: readonly OutgoingRecord[]): Promise<void>;
  /** Enters a consumer group and begins to read. */
  join(options: JoinOptions, reader: GroupReader): Promise<Membership>;
  /** Rejects when the topic does not exist or cannot be reached. */
  check(topic: string): Promise<void>;
  close(): Promise<void>;
}
