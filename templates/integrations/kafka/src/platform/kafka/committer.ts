import type { Logger } from "../logging.ts";
import type { KafkaMetrics } from "./metrics.ts";
import type { PartitionWorker } from "./partition-worker.ts";
import type { Membership } from "./port.ts";

export interface CommitterOptions {
  topic: string;
  metrics: KafkaMetrics;
  log: Logger;
  /** What is done is committed at the latest after so many records, or after so long. */
  batchSize: number;
  batchMs: number;
}

/** When nothing comes for so long, what is done is committed. */
const IDLE_MS = 20;
const RETRY_MS = 1_000;
/** Commits are refused during a rebalance, which takes a minute at most. */
const STALLED_MS = 90_000;

/** Commits what the workers have done: after so many records, after a while, or when nothing is left to do. */
export class Committer {
  failure: unknown;
  readonly #options: CommitterOptions;
  readonly #workers: ReadonlyMap<number, PartitionWorker>;
  readonly #membership: () => Membership | undefined;
  readonly #giveUp = new AbortController();
  #done = 0;
  #startedAt: number | undefined;
  #failingSince: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  #committing: Promise<void> | undefined;

  constructor(
    options: CommitterOptions,
    workers: ReadonlyMap<number, PartitionWorker>,
    membership: () => Membership | undefined,
  ) {
    this.#options = options;
    this.#workers = workers;
    this.#membership = membership;
  }

  onDone(count: number): void {
    this.#done += count;
    this.#startedAt ??= performance.now();
    const isFull = this.#done >= this.#options.batchSize && this.#failingSince === undefined;
    this.#schedule(isFull ? 0 : this.#options.batchMs);
  }

  onIdle(): void {
    if (this.#failingSince !== undefined) return;
    if (this.#workers.values().every((worker) => worker.isIdle)) this.#schedule(IDLE_MS);
  }

  /** Commits the rest. */
  async finish(limitMs: number): Promise<void> {
    const timer = setTimeout(
      () => this.#giveUp.abort(new Error("the offsets were not committed in time")),
      limitMs,
    );
    clearTimeout(this.#timer);
    await this.#committing;
    await this.#commit();
    clearTimeout(timer);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#giveUp.abort(new Error("the membership has ended"));
  }

  #schedule(ms: number): void {
    const dueAt = performance.now() + ms;
    if (dueAt >= this.#dueAt || this.#giveUp.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#dueAt = Infinity;
      this.#committing ??= this.#commit().finally(() => (this.#committing = undefined));
    }, ms);
  }

  async #commit(): Promise<void> {
    const { metrics, topic, log } = this.#options;
    const offsets = new Map<number, bigint>();
    for (const [partition, worker] of this.#workers) {
      if (worker.committable > worker.committed) offsets.set(partition, worker.committable);
    }
    if (offsets.size === 0) return;
    const records = this.#done;
    const startedAt = this.#startedAt ?? performance.now();
    this.#done = 0;
    this.#startedAt = undefined;
    try {
      await this.#membership()?.commit(offsets, this.#giveUp.signal);
      for (const [partition, offset] of offsets) {
        const worker = this.#workers.get(partition);
        if (worker !== undefined) worker.committed = offset;
      }
      this.#failingSince = undefined;
      this.failure = undefined;
      if (records === 0) return;
      metrics.batchSize.observe({ topic }, records);
      metrics.batchDuration.observe({ topic }, (performance.now() - startedAt) / 1_000);
    } catch (error) {
      this.#done += records;
      if (this.#giveUp.signal.aborted) return;
      log.debug({ error, topic }, "offsets could not be committed; they are committed again");
      this.#failingSince ??= performance.now();
      if (performance.now() - this.#failingSince > STALLED_MS) this.failure = error;
      setTimeout(() => this.#schedule(0), RETRY_MS).unref();
    }
  }
}
