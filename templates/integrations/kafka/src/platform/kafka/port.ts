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
  /** Whether it is compressed on its way: for what another client may have compressed, and fitted only so. */
  compressed?: boolean;
}

export type OutgoingHeader = readonly [name: Buffer | string, value: Buffer | string | undefined];

/** A place in a consumer group, with the partitions that come with it. */
export interface Membership {
  /**
   * The next records, in order per partition: as many as there are, at most `max`; none when none came for `waitMs` or
   * after `wake`. "rebalanced": what was read and is not committed comes again, to whoever owns the partition now.
   * @throws when the broker cannot be read from; then the membership is of no more use.
   */
  read(max: number, waitMs: number): Promise<KafkaRecord[] | "rebalanced">;
  /** Ends a `read` that waits. */
  wake(): void;
  /**
   * All records of a partition up to the one given are done. Partitions that are no longer owned are left out.
   * @param abandon ends the wait for a group that is not complete.
   * @throws when it failed or was given up; then the membership is of no more use.
   */
  commit(last: readonly KafkaRecord[], abandon: AbortSignal): Promise<void>;
  /**
   * From now on `read` gives again what was not committed.
   * @returns whether the partitions were given out anew meanwhile.
   */
  rewind(): Promise<boolean>;
  /** Records that are not committed yet, by the partitions that are owned. */
  lag(): Promise<Map<number, number>>;
  leave(): Promise<void>;
}

/** What this service needs of a Kafka client. The real one and the one for tests both have this shape. */
export interface KafkaPort {
  /** Resolves when every in-sync replica has all records, which are for one topic. */
  send(records: readonly OutgoingRecord[]): Promise<void>;
  /**
   * Enters a consumer group; what the group has not committed is read from the earliest on.
   * @param signal ends the wait for a broker, which can take long.
   */
  join(group: string, topic: string, signal: AbortSignal): Promise<Membership>;
  /** Rejects when the topic cannot be reached. */
  check(topic: string): Promise<void>;
  close(): Promise<void>;
}
