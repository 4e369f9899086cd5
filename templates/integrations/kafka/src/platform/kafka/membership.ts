import { once } from "node:events";
import type * as kafka from "@platformatic/kafka";
import type { BaseOptions, Consumer, Message, MessagesStream } from "@platformatic/kafka";
import type { KafkaSettings } from "./connection.ts";
import { patiently, unlessAborted } from "./patience.ts";
import type { KafkaRecord, Membership } from "./port.ts";

type Library = typeof kafka;
type Stream = MessagesStream<Buffer, Buffer, Buffer, Buffer>;

/** Of what is compressed. More is no faster, but all of it is decoded before the first record is handed over. */
const FETCH_BYTES = 262_144;
/** So many records wait decoded; beyond them nothing more is fetched. */
const BUFFERED_RECORDS = 100;
const LAG_TIMEOUT_MS = 5_000;

interface JoinOptions {
  options: BaseOptions;
  settings: KafkaSettings;
  group: string;
  topic: string;
  signal: AbortSignal;
}

/** Enters a consumer group and opens the stream of its records. */
export async function joinGroup(
  library: Library,
  { options, settings, group, topic, signal }: JoinOptions,
): Promise<Membership> {
  const sessionTimeout = settings.KAFKA_SESSION_TIMEOUT * 1_000;
  const consumer = new library.Consumer({
    ...options,
    groupId: group,
    autocommit: false,
    maxBytes: FETCH_BYTES,
    maxWaitTime: 500,
    highWaterMark: BUFFERED_RECORDS,
    sessionTimeout,
    rebalanceTimeout: Math.max(60_000, sessionTimeout),
    heartbeatInterval: settings.KAFKA_HEARTBEAT_INTERVAL * 1_000,
  });
  const open = (): Promise<Stream> => {
    const opening = consumer.consume({
      topics: [topic],
      mode: library.MessagesStreamModes.COMMITTED,
      fallbackMode: library.MessagesStreamFallbackModes.EARLIEST,
    });
    return unlessAborted(opening, signal);
  };
  try {
    return new StreamMembership(library, consumer, topic, await open(), open);
  } catch (error) {
    await patiently(consumer.close(true));
    throw error;
  }
}

class StreamMembership implements Membership {
  readonly #library: Library;
  readonly #consumer: Consumer;
  readonly #topic: string;
  readonly #open: () => Promise<Stream>;
  #stream: Stream;
  /** The partitions were given out anew, and the stream is still one of before. */
  #rejoined = false;
  /** Aborted when the library has given up to rejoin, and would go on reading without being a member. */
  readonly #lost = new AbortController();
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(
    library: Library,
    consumer: Consumer,
    topic: string,
    stream: Stream,
    open: () => Promise<Stream>,
  ) {
    this.#library = library;
    this.#consumer = consumer;
    this.#topic = topic;
    this.#open = open;
    this.#stream = stream;
    // Not its generationId, which changes before the partitions are known.
    consumer.on("consumer:group:join", () => {
      this.#rejoined = true;
      this.#wake();
    });
    consumer.on("error", (error: Error) => {
      this.#lost.abort(error);
      this.#wake();
    });
    this.#listen();
  }

  async read(max: number, waitMs: number): Promise<KafkaRecord[] | "rebalanced"> {
    this.#lost.signal.throwIfAborted();
    if (this.#isCurrent() && this.#stream.readableLength === 0) await this.#change(waitMs);
    this.#lost.signal.throwIfAborted();
    // After a rejoin the library fetches from the committed offset again, but keeps what it had buffered before.
    if (!this.#isCurrent()) {
      const failure = this.#failure;
      const isRebalance = this.#library.findErrorBy(failure, "needsRejoin", true) !== null;
      if (failure !== undefined && !isRebalance) throw failure;
      await this.rewind();
      return "rebalanced";
    }
    const records: KafkaRecord[] = [];
    while (records.length < max) {
      const record = this.#stream.read() as Message | null;
      if (record === null) break;
      records.push(record);
    }
    return records;
  }

  wake(): void {
    this.#wake();
  }

  async commit(last: readonly KafkaRecord[], abandon: AbortSignal): Promise<void> {
    const owned = this.#owned();
    const commits = last
      .filter(({ partition }) => owned.includes(partition))
      // Not consumer.commit(): in a rebalance that rejoins the group at every failure, again and again.
      .map(async (record) => (record as Message).commit());
    // Until the group is complete again nothing is committed, which can take as long as a session.
    await unlessAborted(Promise.all(commits), AbortSignal.any([abandon, this.#lost.signal]));
  }

  async rewind(): Promise<boolean> {
    this.#stream.destroy();
    this.#stream = await this.#open();
    const moved = this.#rejoined;
    this.#rejoined = false;
    this.#failure = undefined;
    this.#listen();
    return moved;
  }

  async lag(): Promise<Map<number, number>> {
    // What the group has committed is asked for in the background.
    while (this.#stream.offsetsCommitted.size < this.#owned().length) {
      await once(this.#stream, "offsets", { signal: AbortSignal.timeout(LAG_TIMEOUT_MS) });
    }
    const lags = (await this.#consumer.getLag({ topics: [this.#topic] })).get(this.#topic) ?? [];
    return new Map(this.#owned().map((partition) => [partition, Number(lags[partition] ?? 0n)]));
  }

  async leave(): Promise<void> {
    this.#stream.destroy();
    await patiently(this.#consumer.close(true));
  }

  #owned(): number[] {
    const assignments = this.#consumer.assignments ?? [];
    return assignments.flatMap(({ partitions }) => partitions);
  }

  #isCurrent(): boolean {
    return !this.#stream.destroyed && !this.#rejoined;
  }

  #listen(): void {
    const stream = this.#stream;
    stream.on("readable", () => this.#wake());
    stream.on("close", () => this.#wake());
    stream.on("error", (error) => {
      if (stream === this.#stream) this.#failure = error;
    });
  }

  async #change(waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
    this.#wake = () => {};
  }
}
