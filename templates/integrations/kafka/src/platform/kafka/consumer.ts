import { setTimeout as delay } from "node:timers/promises";
import type { Background } from "../lifespan.ts";
import type { Logger } from "../logging.ts";
import { abortable, backoff } from "../timing.ts";
import { Committer } from "./committer.ts";
import { deadLetterTopic } from "./dead-letters.ts";
import type { Delivery } from "./delivery.ts";
import type { KafkaMetrics } from "./metrics.ts";
import { PartitionWorker, type WorkerEvents } from "./partition-worker.ts";
import type { GroupReader, KafkaPort, Membership, Rebalance, KafkaRecord } from "./port.ts";

export interface ConsumerOptions {
  port: KafkaPort;
  topic: string;
  group: string;
  delivery: Delivery;
  metrics: KafkaMetrics;
  log: Logger;
  /** How long a handler may take for an event. */
  eventTimeoutMs: number;
  /** What is done is committed at the latest after so many records, or after so long; 500 and 3,000 when left out. */
  batchSize?: number;
  batchMs?: number;
  /**
   * When the service stops, failed events are retried for so long, and handlers are waited for twice as long; 8,000 when
   * left out. All of it has to fit into the time after which the process is killed.
   */
  stopMs?: number;
  /** When the service stops, offsets get so long to be committed; 2,000 when left out. */
  commitMs?: number;
}

const MONITOR_INTERVAL_MS = 1_000;
const LAG_INTERVAL_MS = 5_000;

/** Reads a topic from now on: in order within a partition, partitions independently, each record at least once. */
export function startConsumer(options: ConsumerOptions): Background {
  return new TopicConsumer(options);
}

class TopicConsumer implements Background, GroupReader {
  readonly #options: Required<ConsumerOptions>;
  readonly #stopping = new AbortController();
  /** Retries are not waited for. */
  readonly #ending = new AbortController();
  /** Handlers are not waited for. */
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  readonly #workers = new Map<number, PartitionWorker>();
  #membership: Membership | undefined;
  #commits: Committer | undefined;
  /** Why joining the group fails. */
  #joinFailure: unknown;
  /** What was logged last, until it is over. */
  #reported: unknown;

  constructor(options: ConsumerOptions) {
    const times = { batchMs: 3_000, stopMs: 8_000, commitMs: 2_000 };
    this.#options = { batchSize: 500, ...times, ...options };
    this.#running = this.#run();
  }

  async check(): Promise<void> {
    const failure = this.#failure();
    if (failure !== undefined) throw failure;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const { stopMs } = this.#options;
    const ending = setTimeout(() => this.#ending.abort(), stopMs);
    const ended = setTimeout(() => this.#ended.abort(), 2 * stopMs);
    await this.#running;
    clearTimeout(ending);
    clearTimeout(ended);
  }

  onRebalance({ assigned, revoked, owned }: Rebalance): void {
    const { topic, group, metrics, log } = this.#options;
    for (const partition of revoked) this.#workers.get(partition)?.close();
    for (const partition of revoked) this.#workers.delete(partition);
    for (const partition of assigned) this.#workers.set(partition, this.#newWorker(partition));
    metrics.rebalances.inc({ topic });
    metrics.assigned.set({ topic }, owned.length);
    log.info({ topic, group, assigned, revoked, owned }, `partitions of ${topic} assigned`);
  }

  onRecords(partition: number, records: readonly KafkaRecord[], next: bigint): void {
    this.#workers.get(partition)?.add(records, next);
  }

  onGap(partition: number, from: bigint, to: bigint): void {
    const { topic, metrics, log } = this.#options;
    const records = to > from ? Number(to - from) : 0;
    metrics.skipped.inc({ topic }, records);
    log.error(
      { topic, partition, from: Number(from), to: Number(to), records },
      "records were deleted before they were read",
    );
  }

  #newWorker(partition: number): PartitionWorker {
    const events: WorkerEvents = {
      onDone: (count) => this.#commits?.onDone(count),
      onIdle: () => this.#commits?.onIdle(),
      onFull: () => this.#membership?.pause(partition),
      onRoom: () => this.#membership?.resume(partition),
    };
    return new PartitionWorker(this.#options.delivery, events, {
      stopping: this.#stopping.signal,
      ending: this.#ending.signal,
    });
  }

  async #run(): Promise<void> {
    await this.#checkDeadLetterTopic();
    const monitor = setInterval(() => this.#report(), MONITOR_INTERVAL_MS);
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      try {
        await this.#runMembership(() => (failures = 0));
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        failures += 1;
        // The first one may be over in a moment, as when a broker has just started.
        if (failures > 1) this.#joinFailure = error;
        this.#report();
        const { signal } = this.#stopping;
        await delay(backoff(failures), undefined, { signal }).catch(() => {});
      }
    }
    clearInterval(monitor);
  }

  /** One membership of the group, from joining to leaving. */
  async #runMembership(onJoined: () => void): Promise<void> {
    const { port, group, topic, commitMs } = this.#options;
    const { signal } = this.#stopping;
    const commits = new Committer(this.#options, this.#workers, () => this.#membership);
    this.#commits = commits;
    let lag: NodeJS.Timeout | undefined;
    try {
      const membership = await port.join({ group, topic, signal }, this);
      this.#membership = membership;
      this.#joinFailure = undefined;
      this.#report();
      onJoined();
      lag = setInterval(() => void this.#measureLag(membership), LAG_INTERVAL_MS);
      await abortable(membership.ended, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      const finished = Array.from(this.#workers.values(), (worker) => worker.finished());
      // A handler that is still running then is left to itself: its event comes again.
      await abortable(Promise.all(finished), this.#ended.signal).catch(() => {});
      await commits.finish(commitMs);
    } finally {
      clearInterval(lag);
      commits.cancel();
      for (const worker of this.#workers.values()) worker.close();
      this.#workers.clear();
      const membership = this.#membership;
      this.#membership = undefined;
      await membership?.leave();
      this.#options.metrics.forget(topic);
    }
  }

  /** What keeps the topic, or a partition of it, from going on. */
  #failure(): unknown {
    if (this.#joinFailure !== undefined) return this.#joinFailure;
    try {
      this.#membership?.check();
    } catch (error) {
      return error;
    }
    const { topic, eventTimeoutMs } = this.#options;
    const now = performance.now();
    for (const [partition, { failure, busySince = now }] of this.#workers) {
      if (failure !== undefined) return failure;
      if (now - busySince > eventTimeoutMs) {
        const seconds = Math.round((now - busySince) / 1_000);
        return new Error(`a record of ${topic}/${partition} is being handled for ${seconds} s`);
      }
    }
    return this.#commits?.failure;
  }

  /** A change is logged once, not at every try. */
  #report(): void {
    const { log, topic, group } = this.#options;
    const failure = this.#failure();
    const was = this.#reported;
    this.#reported = failure;
    if (failure !== undefined && was === undefined) {
      log.error({ error: failure, topic, group }, `the consumer of ${topic} stalled`);
    } else if (failure === undefined && was !== undefined) {
      log.info({ topic, group }, `the consumer of ${topic} recovered`);
    }
  }

  /** Reports a missing dead letter topic at the start, and not only when it is needed. */
  async #checkDeadLetterTopic(): Promise<void> {
    const { port, topic, log } = this.#options;
    const name = deadLetterTopic(topic);
    try {
      await port.check(topic);
    } catch {
      return; // The consumer itself says what is wrong.
    }
    await port.check(name).catch((error: unknown) => {
      log.error({ error, topic: name }, "the dead letter topic cannot be used");
    });
  }

  async #measureLag(membership: Membership): Promise<void> {
    const { metrics, topic } = this.#options;
    try {
      const lags = await membership.lag();
      if (membership === this.#membership) metrics.setLag(topic, lags);
    } catch {
      // The last value stays; the readiness check says when the broker is gone.
    }
  }
}
