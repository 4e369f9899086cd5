import { addAbortListener } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Background } from "../lifespan.ts";
import type { Logger } from "../logging.ts";
import type { Deliver } from "./delivery.ts";
import type { KafkaMetrics } from "./metrics.ts";
import { unlessAborted } from "./patience.ts";
import type { KafkaPort, KafkaRecord, Membership } from "./port.ts";

export interface ConsumerOptions {
  port: KafkaPort;
  topic: string;
  group: string;
  deliver: Deliver;
  metrics: KafkaMetrics;
  log: Logger;
  /** Records of a batch at most; 500 when left out. */
  batchSize?: number;
  /** How long a batch waits to be full, counted from its first record; 5,000 when left out. */
  batchMs?: number;
  /**
   * When the service stops, records are begun for so long, and waited for twice as long; 8,000 when left out. All of it
   * has to fit into the time after which the process is killed.
   */
  stopMs?: number;
  /** When the service stops, offsets get so long to be committed; 2,000 when left out. */
  commitMs?: number;
}

const IDLE_MS = 1_000;
const LAG_INTERVAL_MS = 5_000;
const FIRST_RESTART_MS = 250;
const LONGEST_RESTART_MS = 5_000;
/** Longer than the group waits for its slowest member: a commit that takes even longer never ends. */
const LONGEST_COMMIT_MS = 240_000;

/** Reads a topic in batches from now on: in order within a partition, partitions side by side, at least once. */
export function startConsumer(options: ConsumerOptions): Background {
  return new BatchConsumer(options);
}

class BatchConsumer implements Background {
  readonly #options: Required<ConsumerOptions>;
  readonly #stop = new AbortController();
  /** No record is begun any more, nor one called for again that has failed. */
  readonly #ending = new AbortController();
  /** No record is waited for any more. */
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #membership: Membership | undefined;
  #failure: unknown;
  /** Why a partition goes no further, by partition. */
  readonly #stuck = new Map<number, unknown>();

  constructor(options: ConsumerOptions) {
    const times = { batchMs: 5_000, stopMs: 8_000, commitMs: 2_000 };
    this.#options = { batchSize: 500, ...times, ...options };
    this.#running = this.#run();
  }

  async check(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#membership?.wake();
    const { stopMs } = this.#options;
    const ending = setTimeout(() => this.#ending.abort(), stopMs);
    const ended = setTimeout(() => this.#ended.abort(), 2 * stopMs);
    await this.#running;
    clearTimeout(ending);
    clearTimeout(ended);
  }

  get #stopping(): boolean {
    return this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopping;) {
      try {
        await this.#takePart(() => (failures = 0));
      } catch (error) {
        if (!this.#stopping) this.#report(error);
        await this.#pause(failures);
        failures += 1;
      }
    }
  }

  /** One membership of the group, from the first to the last batch. */
  async #takePart(onProgress: () => void): Promise<void> {
    const { port, group, topic } = this.#options;
    const membership = await port.join(group, topic, this.#stop.signal);
    this.#membership = membership;
    this.#stuck.clear();
    const lag = setInterval(() => void this.#measureLag(membership), LAG_INTERVAL_MS);
    try {
      while (!this.#stopping) {
        const batch = await this.#collect(membership);
        await this.#process(membership, batch);
        onProgress();
      }
    } finally {
      clearInterval(lag);
      this.#membership = undefined;
      await membership.leave();
      this.#options.metrics.lag.reset();
    }
  }

  /** A full batch, or what has come when its time is up or the service stops. */
  async #collect(membership: Membership): Promise<KafkaRecord[]> {
    const { batchSize, batchMs } = this.#options;
    let batch: KafkaRecord[] = [];
    let due = Infinity;
    while (batch.length < batchSize && !this.#stopping) {
      const waitMs = Math.min(due - performance.now(), IDLE_MS);
      if (waitMs <= 0) break;
      const records = await membership.read(batchSize - batch.length, waitMs);
      const [failure] = this.#stuck.values();
      this.#report(failure);
      if (records === "rebalanced") {
        // None of it was processed: it comes again, here or at its partition's new owner.
        batch = [];
        due = Infinity;
        this.#stuck.clear();
      } else if (records.length > 0) {
        if (batch.length === 0) due = performance.now() + batchMs;
        batch = batch.length === 0 ? records : batch.concat(records);
      }
    }
    return batch;
  }

  async #process(membership: Membership, batch: KafkaRecord[]): Promise<void> {
    if (batch.length === 0) return;
    const { metrics, topic } = this.#options;
    const end = metrics.batchDuration.startTimer({ topic });
    const partitions = Map.groupBy(batch, ({ partition }) => partition);
    /** The last record of each partition that is done. */
    const done = new Map<number, KafkaRecord>();
    const work = Array.from(partitions.values(), (records) => this.#inOrder(records, done));
    // A handler that is still at it then is left to itself: its event comes again.
    await unlessAborted(Promise.all(work), this.#ended.signal).catch(() => {});
    await this.#commit(membership, [...done.values()]);
    end();
    metrics.batchSize.observe({ topic }, batch.length);
    if (this.#stuck.size === 0 || this.#stopping) return;
    // Such a partition goes no further, the others do: all begin again where they are committed.
    await this.#pause(0);
    if (await membership.rewind()) this.#stuck.clear();
  }

  async #inOrder(records: KafkaRecord[], done: Map<number, KafkaRecord>): Promise<void> {
    const { signal } = this.#ending;
    const { partition } = records[0]!;
    try {
      for (const record of records) {
        if (signal.aborted) return;
        await this.#options.deliver(record, signal);
        done.set(partition, record);
      }
      this.#stuck.delete(partition);
    } catch (failure) {
      if (!signal.aborted) this.#stuck.set(partition, failure);
    }
  }

  async #commit(membership: Membership, last: readonly KafkaRecord[]): Promise<void> {
    const giveUp = new AbortController();
    const giveUpAfter = (ms: number): NodeJS.Timeout =>
      setTimeout(() => giveUp.abort(new Error("the offsets were not committed in time")), ms);
    let timer = giveUpAfter(LONGEST_COMMIT_MS);
    using _listener = addAbortListener(this.#stop.signal, () => {
      clearTimeout(timer);
      timer = giveUpAfter(this.#options.commitMs);
    });
    try {
      await membership.commit(last, giveUp.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async #measureLag(membership: Membership): Promise<void> {
    const { metrics, topic } = this.#options;
    try {
      const lags = await membership.lag();
      metrics.lag.reset();
      for (const [partition, records] of lags) metrics.lag.set({ topic, partition }, records);
    } catch {
      // The readiness check says that the broker is gone; the last value stays.
    }
  }

  /** A change is logged once, not at every try. */
  #report(failure: unknown): void {
    const { log, topic, group } = this.#options;
    const was = this.#failure;
    this.#failure = failure;
    if (failure !== undefined && was === undefined) {
      log.error({ error: failure, topic, group }, `the consumer of ${topic} is held up`);
    } else if (failure === undefined && was !== undefined) {
      log.info({ topic, group }, `the consumer of ${topic} goes on`);
    }
  }

  async #pause(failures: number): Promise<void> {
    const ms = Math.min(FIRST_RESTART_MS * 2 ** failures, LONGEST_RESTART_MS);
    const { signal } = this.#stop;
    await delay(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
  }
}
