import { setTimeout as delay } from "node:timers/promises";
import type { ClusterMetadata, Consumer } from "@platformatic/kafka";
import { backoff } from "../timing.ts";
import { explainTopic, type FetchResponse, isError, type Library } from "./library.ts";
import type { GroupReader } from "./port.ts";
import { readRecords } from "./records.ts";
import { EARLIEST, type TopicOffsets } from "./topic-offsets.ts";

/** Compressed bytes. A larger fetch is not faster, and is decoded as a whole before its first record is handed over. */
const FETCH_BYTES = 262_144;
/** How long the broker waits for records. Partitions that are resumed meanwhile join the next fetch. */
const FETCH_WAIT_MS = 500;
/** The same while a partition is paused that may be resumed at any moment. */
const SHORT_WAIT_MS = 10;
/** After so long a pause a partition is not expected to be resumed at any moment. */
const LONG_PAUSE_MS = 1_000;

/** A partition that is read. */
interface Owned {
  /** Of the next record to read; undefined until it is known. */
  position: bigint | undefined;
  /** Since when it is not read, in milliseconds of performance.now(). */
  pausedAt: number | undefined;
}

export interface TopicReaderOptions {
  library: Library;
  /** A client on connections of its own: a broker answers one request of a connection after the other. */
  client: Consumer;
  topic: string;
  offsets: TopicOffsets;
  reader: GroupReader;
  /** Where the topic's partitions are; called before each fetch. */
  metadata: () => Promise<ClusterMetadata>;
}

/**
 * The loop that fetches. The library's own stream of messages cannot pause a partition, and retries for minutes without a
 * word: here the library fetches once each time, and this decides.
 */
export class TopicReader {
  /** When a fetch has last succeeded, and why the last one failed. */
  readAt = performance.now();
  failure: Error | undefined;
  readonly #options: TopicReaderOptions;
  readonly #owned = new Map<number, Owned>();
  /** Brokers that are being fetched from. */
  readonly #fetching = new Map<number, Promise<void>>();
  readonly #stopping = new AbortController();
  #wake = Promise.withResolvers<void>();
  #failures = 0;

  constructor(options: TopicReaderOptions) {
    this.#options = options;
  }

  get partitions(): ReadonlySet<number> {
    return new Set(this.#owned.keys());
  }

  /** Changes what is read. */
  assign({ assigned, revoked }: { assigned: readonly number[]; revoked: readonly number[] }): void {
    for (const partition of revoked) this.#owned.delete(partition);
    for (const partition of assigned) {
      this.#owned.set(partition, { position: undefined, pausedAt: undefined });
    }
    this.#wake.resolve();
  }

  stop(): void {
    this.#stopping.abort();
    this.#wake.resolve();
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  pause(partition: number): void {
    const owned = this.#owned.get(partition);
    if (owned !== undefined) owned.pausedAt ??= performance.now();
  }

  resume(partition: number): void {
    const owned = this.#owned.get(partition);
    if (owned === undefined) return;
    owned.pausedAt = undefined;
    this.#wake.resolve();
  }

  /** Reads until it is stopped. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#wake = Promise.withResolvers();
      try {
        const metadata = await this.#options.metadata();
        await this.#locate();
        this.#fetch(metadata);
        await this.#pauseUntilChange();
      } catch (error) {
        await this.#onFailure(error as Error);
      }
    }
  }

  /** Until something is to be fetched again: a fetch has ended, or partitions have come or were resumed. */
  async #pauseUntilChange(): Promise<void> {
    const idle = this.#fetching.size === 0 ? [delay(FETCH_WAIT_MS)] : [];
    await Promise.race([this.#wake.promise, ...this.#fetching.values(), ...idle]);
    if (this.#fetching.size === 0 && this.failure === undefined) this.readAt = performance.now();
  }

  async #onFailure(cause: Error): Promise<void> {
    if (this.#stopped) return;
    this.failure = explainTopic(this.#options.library, this.#options.topic, cause);
    this.#failures += 1;
    const isOtherTopic = isError(
      this.#options.library,
      cause,
      "UNKNOWN_TOPIC_ID",
      "INCONSISTENT_TOPIC_ID",
    );
    const isStale = this.#options.library.findErrorBy(cause, "hasStaleMetadata", true) !== null;
    // The next look at the metadata tells whether the topic was created again.
    if (isOtherTopic || isStale) this.#options.client.clearMetadata();
    const ms = backoff(this.#failures, { firstMs: 100, longestMs: 2_000 });
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  /** Finds out where to begin in partitions that are new here. */
  async #locate(): Promise<void> {
    const unknown = [...this.#owned].filter(([, { position }]) => position === undefined);
    if (unknown.length === 0) return;
    const partitions = unknown.map(([partition]) => partition);
    const [committed, starts] = await Promise.all([
      this.#options.offsets.committed(partitions),
      this.#options.offsets.at(EARLIEST),
    ]);
    for (const [partition, owned] of unknown) {
      const offset = committed[partition] ?? -1n;
      owned.position = offset >= 0n ? offset : starts[partition];
    }
  }

  /** Fetches once from every broker that is not being fetched from. */
  #fetch({ topics }: ClusterMetadata): void {
    const { id, partitions } = topics.get(this.#options.topic)!;
    const now = performance.now();
    let waitMs = FETCH_WAIT_MS;
    const byNode = new Map<number, Map<number, bigint>>();
    for (const [partition, { position, pausedAt }] of this.#owned) {
      if (pausedAt !== undefined && now - pausedAt < LONG_PAUSE_MS) waitMs = SHORT_WAIT_MS;
      const node = partitions[partition]?.leader;
      if (pausedAt !== undefined || position === undefined || node === undefined) continue;
      const positions = byNode.get(node) ?? new Map<number, bigint>();
      byNode.set(node, positions.set(partition, position));
    }
    for (const [node, positions] of byNode) {
      if (this.#fetching.has(node)) continue;
      const fetching = this.#fetchFrom(node, id, positions, waitMs).finally(
        () => void this.#fetching.delete(node),
      );
      this.#fetching.set(node, fetching);
    }
  }

  async #fetchFrom(
    node: number,
    topicId: string,
    positions: Map<number, bigint>,
    waitMs: number,
  ): Promise<void> {
    const partitions = Array.from(positions, ([partition, fetchOffset]) => ({
      partition,
      fetchOffset,
      partitionMaxBytes: FETCH_BYTES,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    }));
    try {
      const response = await this.#options.client.fetch({
        node,
        topics: [{ topicId, partitions }],
        maxWaitTime: waitMs,
        minBytes: 1,
        maxBytes: 2 * FETCH_BYTES,
      });
      this.readAt = performance.now();
      this.#failures = 0;
      this.failure = undefined;
      this.#handOver(response, positions);
    } catch (error) {
      if (this.#stopped) return;
      await this.#skipGap(error as Error, positions).catch((cause: Error) =>
        this.#onFailure(cause),
      );
    }
  }

  #handOver({ responses }: FetchResponse, positions: Map<number, bigint>): void {
    for (const fetched of responses.flatMap(({ partitions }) => partitions)) {
      const { partitionIndex: partition } = fetched;
      const owned = this.#owned.get(partition);
      const from = positions.get(partition);
      // It may have moved away, or come back, while it was fetched.
      if (owned === undefined || from === undefined || owned.position !== from) continue;
      const { records, next } = readRecords(this.#options.topic, fetched, from);
      if (next === from) continue;
      owned.position = next;
      this.#options.reader.onRecords(partition, records, next);
    }
  }

  /** Goes on at the earliest record where the next one no longer exists. @throws any other error. */
  async #skipGap(error: Error, positions: Map<number, bigint>): Promise<void> {
    const { protocolErrors } = this.#options.library;
    const { response } = error as { response?: FetchResponse };
    const isGap = isError(this.#options.library, error, "OFFSET_OUT_OF_RANGE");
    if (response === undefined || !isGap) throw error;
    const starts = await this.#options.offsets.at(EARLIEST);
    for (const fetched of response.responses.flatMap(({ partitions }) => partitions)) {
      const { partitionIndex: partition, errorCode } = fetched;
      const owned = this.#owned.get(partition);
      const from = positions.get(partition);
      const start = starts[partition];
      if (errorCode !== protocolErrors["OFFSET_OUT_OF_RANGE"]!.code) continue;
      if (from === undefined || start === undefined || owned?.position !== from) continue;
      owned.position = start;
      this.#options.reader.onGap(partition, from, start);
    }
  }
}
