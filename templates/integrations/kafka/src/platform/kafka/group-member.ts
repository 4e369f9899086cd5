import { setTimeout as delay } from "node:timers/promises";
import type { ClusterMetadata, Consumer } from "@platformatic/kafka";
import { abortable, backoff, withTimeout } from "../timing.ts";
import { assignBySubscription, type PartitionCounts, PROTOCOLS } from "./assignment.ts";
import { connectionOptions, type KafkaSettings } from "./connection.ts";
import { explainTopic, type FetchResponse, isError, type Library } from "./library.ts";
import type { GroupReader, JoinOptions, Membership } from "./port.ts";
import { readRecords } from "./records.ts";

/** Compressed bytes. A larger fetch is not faster, and is decoded as a whole before its first record is handed over. */
const FETCH_BYTES = 262_144;
/** How long the broker waits for records. Partitions that are resumed meanwhile join the next fetch. */
const FETCH_WAIT_MS = 500;
/** The same while a partition is paused that may be resumed at any moment. */
const SHORT_WAIT_MS = 10;
/** After so long a pause a partition is not expected to be resumed at any moment. */
const LONG_PAUSE_MS = 1_000;
const STALLED_MS = 8_000;
const PARTITIONS_INTERVAL_MS = 30_000;
const CLOSE_MS = 2_000;
const LATEST = -1n;
const EARLIEST = -2n;

/** A partition that this member owns. */
interface Owned {
  /** Of the next record to read; undefined until it is known. */
  position: bigint | undefined;
  /** Since when it is not read, in milliseconds of performance.now(). */
  pausedAt: number | undefined;
}

/** Enters a consumer group and begins to read its topic. */
export async function joinGroup(
  library: Library,
  settings: KafkaSettings,
  options: JoinOptions,
  reader: GroupReader,
): Promise<Membership> {
  const member = new GroupMember(library, settings, options, reader);
  try {
    await member.join(options.signal);
    return member;
  } catch (error) {
    await member.leave();
    throw explainTopic(library, options.topic, error as Error);
  }
}

/**
 * A member of a group, and the loop that fetches. The library's own stream of messages cannot pause a partition, and it
 * retries for minutes without a word: here the library joins, commits and fetches once each time, and this decides.
 */
class GroupMember implements Membership {
  readonly ended: Promise<never>;
  readonly #library: Library;
  readonly #reader: GroupReader;
  readonly #topic: string;
  readonly #isStatic: boolean;
  /** For what concerns the group. */
  readonly #consumer: Consumer;
  /** For fetching, on connections of its own: a broker answers one request of a connection after the other. */
  readonly #fetcher: Consumer;
  /** What the leader of the group has assigned, if it was this member. */
  readonly #counts: PartitionCounts = new Map();
  readonly #owned = new Map<number, Owned>();
  /** Brokers that are being fetched from. */
  readonly #fetching = new Map<number, Promise<void>>();
  #wake = Promise.withResolvers<void>();
  #topicId: string | undefined;
  #isLeader = false;
  #memberId: string | undefined;
  #generation = -1;
  #rebalancing: PromiseWithResolvers<void> | undefined;
  readonly #leaving = new AbortController();
  #end: (error: Error) => void = () => {};
  #readAt = performance.now();
  #partitionsCheckedAt = performance.now();
  #failures = 0;
  #failure: Error | undefined;
  /** Since when this has not been a member of the group, and why. */
  #lost: { since: number; error: Error } | undefined;

  constructor(
    library: Library,
    settings: KafkaSettings,
    { group, topic }: JoinOptions,
    reader: GroupReader,
  ) {
    this.#library = library;
    this.#reader = reader;
    this.#topic = topic;
    const { KAFKA_GROUP_INSTANCE_ID: groupInstanceId } = settings;
    this.#isStatic = groupInstanceId !== undefined;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // A reader that has left no longer listens.
    this.ended = promise;
    this.#end = reject;
    const sessionTimeout = settings.KAFKA_SESSION_TIMEOUT * 1_000;
    const rebalanceTimeout = Math.max(60_000, sessionTimeout);
    const common = { ...connectionOptions(settings), retries: 0, groupId: group };
    this.#consumer = new library.Consumer({
      ...common,
      ...(groupInstanceId !== undefined && { groupInstanceId }),
      sessionTimeout,
      rebalanceTimeout,
      // Joining takes as long as the group waits for its slowest member.
      requestTimeout: rebalanceTimeout + 5_000,
      heartbeatInterval: settings.KAFKA_HEARTBEAT_INTERVAL * 1_000,
      protocols: PROTOCOLS,
      partitionAssigner: assignBySubscription(library.cooperativeStickyAssigner, this.#counts),
    });
    this.#fetcher = new library.Consumer(common);
    for (const client of [this.#consumer, this.#fetcher]) client.topics.track(topic);
    this.#consumer.on("consumer:group:rebalance", () => {
      this.#rebalancing ??= Promise.withResolvers();
    });
    this.#consumer.on("consumer:group:join", ({ memberId, generationId = -1, isLeader = false }) =>
      this.#onJoined(memberId, generationId, isLeader),
    );
    // The library has tried to join again, and gives up after one try.
    this.#consumer.on("error", (error: Error) => void this.#rejoin(error));
  }

  async join(signal: AbortSignal): Promise<void> {
    await abortable(this.#fetcher.metadata({ topics: [this.#topic], forceUpdate: true }), signal);
    await abortable(this.#consumer.joinGroup({}), signal);
    void this.#run();
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

  async commit(offsets: ReadonlyMap<number, bigint>, signal: AbortSignal): Promise<void> {
    // During a rebalance a commit is refused, and waits behind the request to join.
    while (this.#rebalancing !== undefined) await abortable(this.#rebalancing.promise, signal);
    const owned = Array.from(offsets).filter(([partition]) => this.#owned.has(partition));
    if (owned.length === 0) return;
    const committed = this.#consumer.commit({
      offsets: owned.map(([partition, offset]) => ({
        topic: this.#topic,
        partition,
        offset,
        leaderEpoch: -1,
      })),
    });
    await abortable(committed, signal);
  }

  async lag(): Promise<ReadonlyMap<number, number>> {
    const [ends, starts] = await Promise.all(
      [LATEST, EARLIEST].map((timestamp) => this.#offsets(timestamp)),
    );
    const partitions = Array.from(ends!.keys());
    const committed = await this.#committed(partitions);
    return new Map(
      partitions.map((partition) => {
        const start = starts![partition] ?? 0n;
        const next = committed[partition] ?? -1n;
        const waiting = ends![partition]! - (next > start ? next : start);
        return [partition, waiting > 0n ? Number(waiting) : 0];
      }),
    );
  }

  check(): void {
    const since = Math.min(this.#readAt, this.#lost?.since ?? Infinity);
    const ms = performance.now() - since;
    if (ms < STALLED_MS) return;
    const cause = this.#lost?.error ?? this.#failure;
    const reason = cause?.message ?? "no answer";
    const text = `${this.#topic} has not been read for ${Math.round(ms / 1_000)} s: ${reason}`;
    throw new Error(text, { cause });
  }

  async leave(): Promise<void> {
    this.#leaving.abort();
    this.#wake.resolve();
    // A static member keeps its partitions until its session ends, so that a restart causes no rebalance. It does not
    // say goodbye: without a connection the library does not either.
    if (this.#isStatic) await closed(this.#consumer.connections.close());
    await closed(Promise.all([this.#consumer.close(true), this.#fetcher.close(true)]));
  }

  #onJoined(memberId: string, generation: number, isLeader: boolean): void {
    // When this member has missed a generation, others may have processed its partitions in between.
    const isContinuous = memberId === this.#memberId && generation === this.#generation + 1;
    this.#memberId = memberId;
    this.#generation = generation;
    this.#isLeader = isLeader;
    const before = new Set(this.#owned.keys());
    const assignments = this.#consumer.assignments ?? [];
    const owned = assignments.flatMap(({ partitions }) => partitions);
    const revoked = [...before].filter((partition) => !isContinuous || !owned.includes(partition));
    for (const partition of revoked) this.#owned.delete(partition);
    const assigned = owned.filter((partition) => !this.#owned.has(partition));
    for (const partition of assigned) {
      this.#owned.set(partition, { position: undefined, pausedAt: undefined });
    }
    this.#lost = undefined;
    this.#rebalancing?.resolve();
    this.#rebalancing = undefined;
    this.#reader.onRebalance({ assigned, revoked, owned });
    this.#wake.resolve();
  }

  async #rejoin(cause: Error): Promise<void> {
    const since = performance.now();
    this.#lost = { since, error: cause };
    for (let attempt = 1; ; attempt += 1) {
      await this.#sleep(backoff(attempt));
      if (this.#left) return;
      try {
        await this.#consumer.joinGroup({});
        return;
      } catch (error) {
        this.#lost = { since, error: error as Error };
      }
    }
  }

  async #run(): Promise<void> {
    while (!this.#left) {
      this.#wake = Promise.withResolvers();
      try {
        const metadata = await this.#metadata();
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
    if (this.#fetching.size === 0 && this.#failure === undefined) this.#readAt = performance.now();
  }

  async #onFailure(error: Error): Promise<void> {
    if (this.#left) return;
    this.#failure = explainTopic(this.#library, this.#topic, error);
    this.#failures += 1;
    const isOtherTopic = isError(this.#library, error, "UNKNOWN_TOPIC_ID", "INCONSISTENT_TOPIC_ID");
    const isStale = this.#library.findErrorBy(error, "hasStaleMetadata", true) !== null;
    // The next look at the metadata tells whether the topic was created again.
    if (isOtherTopic || isStale) this.#fetcher.clearMetadata();
    await this.#sleep(backoff(this.#failures, { firstMs: 100, longestMs: 2_000 }));
  }

  get #left(): boolean {
    return this.#leaving.signal.aborted;
  }

  /** Waits, but not when it leaves. */
  async #sleep(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#leaving.signal }).catch(() => {});
  }

  /** The topic's partitions and where they are. A change of their number is noticed within half a minute. */
  async #metadata(): Promise<ClusterMetadata> {
    const isDue = performance.now() - this.#partitionsCheckedAt > PARTITIONS_INTERVAL_MS;
    if (isDue) this.#partitionsCheckedAt = performance.now();
    const metadata = await this.#fetcher.metadata({ topics: [this.#topic], forceUpdate: isDue });
    const { id } = metadata.topics.get(this.#topic)!;
    this.#topicId ??= id;
    if (id !== this.#topicId) {
      const error = new Error(`the topic ${this.#topic} was deleted and created again`);
      this.#leaving.abort();
      this.#end(error);
      throw error;
    }
    if (isDue && this.#isLeader) await this.#checkPartitionCounts();
    return metadata;
  }

  /** As the group's leader, joins again when a topic has got partitions: then all partitions are assigned again. */
  async #checkPartitionCounts(): Promise<void> {
    const assigned = new Map(this.#counts);
    if (!assigned.has(this.#topic)) assigned.set(this.#topic, this.#owned.size);
    const { topics } = await this.#consumer.metadata({
      topics: [...assigned.keys()],
      forceUpdate: true,
    });
    const hasChanged = [...assigned].some(
      ([topic, count]) => topics.get(topic)?.partitionsCount !== count,
    );
    if (!hasChanged || this.#rebalancing !== undefined) return;
    this.#counts.clear();
    this.#rebalancing = Promise.withResolvers();
    await this.#consumer.joinGroup({}).catch((error: Error) => this.#rejoin(error));
  }

  /** Finds out where to begin in partitions that are new here. */
  async #locate(): Promise<void> {
    const unknown = [...this.#owned].filter(([, { position }]) => position === undefined);
    if (unknown.length === 0) return;
    const partitions = unknown.map(([partition]) => partition);
    const [committed, starts] = await Promise.all([
      this.#committed(partitions),
      this.#offsets(EARLIEST),
    ]);
    for (const [partition, owned] of unknown) {
      const offset = committed[partition] ?? -1n;
      owned.position = offset >= 0n ? offset : starts[partition];
    }
  }

  async #committed(partitions: number[]): Promise<bigint[]> {
    const topic = this.#topic;
    const found = await this.#fetcher.listCommittedOffsets({ topics: [{ topic, partitions }] });
    return found.get(topic) ?? [];
  }

  async #offsets(timestamp: bigint): Promise<bigint[]> {
    const found = await this.#fetcher.listOffsets({ topics: [this.#topic], timestamp });
    return found.get(this.#topic) ?? [];
  }

  /** Fetches once from every broker that is not being fetched from. */
  #fetch({ topics }: ClusterMetadata): void {
    const { partitions } = topics.get(this.#topic)!;
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
      const fetching = this.#fetchFrom(node, positions, waitMs).finally(
        () => void this.#fetching.delete(node),
      );
      this.#fetching.set(node, fetching);
    }
  }

  async #fetchFrom(node: number, positions: Map<number, bigint>, waitMs: number): Promise<void> {
    const partitions = Array.from(positions, ([partition, fetchOffset]) => ({
      partition,
      fetchOffset,
      partitionMaxBytes: FETCH_BYTES,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    }));
    try {
      const response = await this.#fetcher.fetch({
        node,
        topics: [{ topicId: this.#topicId!, partitions }],
        maxWaitTime: waitMs,
        minBytes: 1,
        maxBytes: 2 * FETCH_BYTES,
      });
      this.#readAt = performance.now();
      this.#failures = 0;
      this.#failure = undefined;
      this.#handOver(response, positions);
    } catch (error) {
      if (this.#left) return;
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
      const { records, next } = readRecords(this.#topic, fetched, from);
      if (next === from) continue;
      owned.position = next;
      this.#reader.onRecords(partition, records, next);
    }
  }

  /** Goes on at the earliest record where the next one no longer exists. @throws any other error. */
  async #skipGap(error: Error, positions: Map<number, bigint>): Promise<void> {
    const { protocolErrors } = this.#library;
    const { response } = error as { response?: FetchResponse };
    const isGap = isError(this.#library, error, "OFFSET_OUT_OF_RANGE");
    if (response === undefined || !isGap) throw error;
    const starts = await this.#offsets(EARLIEST);
    for (const fetched of response.responses.flatMap(({ partitions }) => partitions)) {
      const { partitionIndex: partition, errorCode } = fetched;
      const owned = this.#owned.get(partition);
      const from = positions.get(partition);
      const start = starts[partition];
      if (errorCode !== protocolErrors["OFFSET_OUT_OF_RANGE"]!.code) continue;
      if (from === undefined || start === undefined || owned?.position !== from) continue;
      owned.position = start;
      this.#reader.onGap(partition, from, start);
    }
  }
}

/** Waits a moment for something to close, whatever becomes of it. */
export async function closed(closing: Promise<unknown>): Promise<void> {
  await withTimeout(closing, CLOSE_MS).catch(() => {});
}
