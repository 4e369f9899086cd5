import { setTimeout as delay } from "node:timers/promises";
import type { ClusterMetadata, Consumer } from "@platformatic/kafka";
import { abortable, backoff, withTimeout } from "../timing.ts";
import { assignBySubscription, type PartitionCounts, PROTOCOLS } from "./assignment.ts";
import { connectionOptions, type KafkaSettings } from "./connection.ts";
import { explainTopic, type Library } from "./library.ts";
import type { GroupReader, JoinOptions, Membership } from "./port.ts";
import { TopicOffsets } from "./topic-offsets.ts";
import { TopicReader } from "./topic-reader.ts";

const STALLED_MS = 8_000;
const PARTITIONS_INTERVAL_MS = 30_000;
const CLOSE_MS = 2_000;

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

/** A member of a group that reads one topic. The library joins and commits, a TopicReader fetches. */
class GroupMember implements Membership {
  readonly ended: Promise<never>;
  readonly #reader: GroupReader;
  readonly #topic: string;
  readonly #isStatic: boolean;
  /** For what concerns the group. */
  readonly #consumer: Consumer;
  /** For fetching and all else. */
  readonly #fetcher: Consumer;
  readonly #offsets: TopicOffsets;
  readonly #records: TopicReader;
  /** What the leader of the group has assigned, if it was this member. */
  readonly #counts: PartitionCounts = new Map();
  #topicId: string | undefined;
  #isLeader = false;
  #memberId: string | undefined;
  #generation = -1;
  #rebalancing: PromiseWithResolvers<void> | undefined;
  readonly #leaving = new AbortController();
  #end: (error: Error) => void = () => {};
  #partitionsCheckedAt = performance.now();
  /** Since when this has not been a member of the group, and why. */
  #lost: { since: number; error: Error } | undefined;

  constructor(
    library: Library,
    settings: KafkaSettings,
    { group, topic }: JoinOptions,
    reader: GroupReader,
  ) {
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
    this.#offsets = new TopicOffsets(this.#fetcher, topic);
    this.#records = new TopicReader({
      library,
      client: this.#fetcher,
      topic,
      offsets: this.#offsets,
      reader,
      metadata: () => this.#metadata(),
    });
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
    void this.#records.run();
  }

  pause(partition: number): void {
    this.#records.pause(partition);
  }

  resume(partition: number): void {
    this.#records.resume(partition);
  }

  async commit(offsets: ReadonlyMap<number, bigint>, signal: AbortSignal): Promise<void> {
    // During a rebalance a commit is refused, and waits behind the request to join.
    while (this.#rebalancing !== undefined) await abortable(this.#rebalancing.promise, signal);
    const { partitions } = this.#records;
    const owned = Array.from(offsets).filter(([partition]) => partitions.has(partition));
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

  lag(): Promise<ReadonlyMap<number, number>> {
    return this.#offsets.lag();
  }

  check(): void {
    const { readAt, failure } = this.#records;
    const since = Math.min(readAt, this.#lost?.since ?? Infinity);
    const ms = performance.now() - since;
    if (ms < STALLED_MS) return;
    const cause = this.#lost?.error ?? failure;
    const reason = cause?.message ?? "no answer";
    const text = `${this.#topic} has not been read for ${Math.round(ms / 1_000)} s: ${reason}`;
    throw new Error(text, { cause });
  }

  async leave(): Promise<void> {
    this.#leaving.abort();
    this.#records.stop();
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
    const before = this.#records.partitions;
    const assignments = this.#consumer.assignments ?? [];
    const owned = assignments.flatMap(({ partitions }) => partitions);
    const revoked = [...before].filter((partition) => !isContinuous || !owned.includes(partition));
    const assigned = owned.filter((one) => !before.has(one) || revoked.includes(one));
    this.#records.assign({ assigned, revoked });
    this.#lost = undefined;
    this.#rebalancing?.resolve();
    this.#rebalancing = undefined;
    this.#reader.onRebalance({ assigned, revoked, owned });
  }

  async #rejoin(cause: Error): Promise<void> {
    const since = performance.now();
    this.#lost = { since, error: cause };
    for (let attempt = 1; ; attempt += 1) {
      const { signal } = this.#leaving;
      await delay(backoff(attempt), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#consumer.joinGroup({});
        return;
      } catch (error) {
        this.#lost = { since, error: error as Error };
      }
    }
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
      this.#records.stop();
      this.#end(error);
      throw error;
    }
    if (isDue && this.#isLeader) await this.#checkPartitionCounts();
    return metadata;
  }

  /** As the group's leader, joins again when a topic has got partitions: then all partitions are assigned again. */
  async #checkPartitionCounts(): Promise<void> {
    const assigned = new Map(this.#counts);
    if (!assigned.has(this.#topic)) assigned.set(this.#topic, this.#records.partitions.size);
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
}

/** Waits a moment for something to close, whatever becomes of it. */
export async function closed(closing: Promise<unknown>): Promise<void> {
  await withTimeout(closing, CLOSE_MS).catch(() => {});
}
