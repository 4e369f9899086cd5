import { setImmediate as yieldToEvents, setTimeout as delay } from "node:timers/promises";
import { backoff } from "../timing.ts";
import {
  type BatchHandler,
  type Delivery,
  type EventTask,
  RETRIES,
  type Task,
} from "./delivery.ts";
import type { KafkaRecord } from "./port.ts";

/** What a worker tells its consumer. */
export interface WorkerEvents {
  /** So many records more are done. */
  onDone(count: number): void;
  /** Nothing is left to do. */
  onIdle(): void;
  /** Enough records wait; and then few enough to go on reading. */
  onFull(): void;
  onRoom(): void;
}

const FULL_RECORDS = 500;
const FULL_BYTES = 1_048_576;
/** Handlers that never wait would otherwise hold up heartbeats and other partitions. */
const RECORDS_PER_TURN = 100;

/** Processes the records of one partition, one after the other, whatever happens in other partitions. */
export class PartitionWorker {
  /** Why the current record cannot be finished, while it cannot. */
  failure: Error | undefined;
  /** Since when the current record is being processed, in milliseconds of performance.now(). */
  busySince: number | undefined;
  /** What the group has committed of it, as far as is known here. */
  committed = -1n;
  readonly #delivery: Delivery;
  readonly #events: WorkerEvents;
  readonly #stopping: AbortSignal;
  readonly #closing = new AbortController();
  /** Ends waits: the partition is gone, or the service stops for good. */
  readonly #signal: AbortSignal;
  #queue: KafkaRecord[] = [];
  /** Where in the queue the next record is. */
  #head = 0;
  #bytes = 0;
  /** A record that was decoded and is not yet processed. */
  #peeked: Task | undefined;
  #isFull = false;
  /** The offset after the last record that was read, and after the last that is done. */
  #next = -1n;
  #done = -1n;
  #running: Promise<void> | undefined;
  #arrival = Promise.withResolvers<void>();

  /**
   * @param stopping no further record is begun, and a batch is not waited for.
   * @param ending no retry is waited for.
   */
  constructor(
    delivery: Delivery,
    events: WorkerEvents,
    { stopping, ending }: { stopping: AbortSignal; ending: AbortSignal },
  ) {
    this.#delivery = delivery;
    this.#events = events;
    this.#stopping = stopping;
    this.#signal = AbortSignal.any([ending, this.#closing.signal]);
  }

  add(records: readonly KafkaRecord[], next: bigint): void {
    for (const record of records) {
      this.#queue.push(record);
      this.#bytes += sizeOf(record);
    }
    this.#next = next;
    this.#arrival.resolve();
    if (!this.#isFull && (this.#waiting >= FULL_RECORDS || this.#bytes >= FULL_BYTES)) {
      this.#isFull = true;
      this.#events.onFull();
    }
    if (this.#running !== undefined) return;
    if (this.#waiting > 0) {
      this.#running = this.#run();
    } else {
      this.#done = next;
      this.#events.onIdle();
    }
  }

  /** The offset to commit: after what is done, and after everything that was read once nothing is left. */
  get committable(): bigint {
    return this.#done;
  }

  get #waiting(): number {
    return this.#queue.length - this.#head;
  }

  get isIdle(): boolean {
    return this.#running === undefined;
  }

  /** Resolves when the current record or batch is finished. */
  async finished(): Promise<void> {
    this.#arrival.resolve();
    await this.#running;
  }

  /** The partition is no longer owned: the current record is left to itself. */
  close(): void {
    this.#closing.abort();
    this.#arrival.resolve();
  }

  async #run(): Promise<void> {
    for (let turn = 1; !this.#isOver(); turn += 1) {
      const task = this.#take();
      if (task === undefined) {
        this.#done = this.#next;
        break;
      }
      const batch = task.kind === "event" && "handleBatch" in task.handler;
      const tasks = batch ? await this.#gather(task, task.handler as BatchHandler) : [task];
      if (!(await this.#finish(tasks))) break;
      if (turn % RECORDS_PER_TURN === 0) await yieldToEvents();
    }
    this.#running = undefined;
    if (!this.#closing.signal.aborted) this.#events.onIdle();
  }

  #isOver(): boolean {
    return this.#stopping.aborted || this.#closing.signal.aborted;
  }

  /** The next record, decoded. */
  #take(): Task | undefined {
    const task = this.#peek();
    this.#peeked = undefined;
    return task;
  }

  #peek(): Task | undefined {
    if (this.#peeked !== undefined) return this.#peeked;
    const record = this.#shift();
    if (record !== undefined) this.#peeked = this.#delivery.read(record);
    return this.#peeked;
  }

  #shift(): KafkaRecord | undefined {
    const record = this.#queue[this.#head];
    if (record === undefined) return undefined;
    this.#head += 1;
    this.#bytes -= sizeOf(record);
    // Once for many records: removing each would move all others.
    if (this.#head === this.#queue.length || this.#head >= FULL_RECORDS) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.#isFull && this.#waiting <= FULL_RECORDS / 2 && this.#bytes <= FULL_BYTES / 2) {
      this.#isFull = false;
      this.#events.onRoom();
    }
    return record;
  }

  /** The events for the same batch handler that follow, as they come, until it is full or has waited long enough. */
  async #gather(first: EventTask, handler: BatchHandler): Promise<EventTask[]> {
    const tasks = [first];
    const due = performance.now() + handler.maxWaitMs;
    while (tasks.length < handler.maxEvents && !this.#isOver()) {
      this.#arrival = Promise.withResolvers();
      const next = this.#peek();
      if (next === undefined) {
        const ms = due - performance.now();
        if (ms <= 0) break;
        const timeout = new AbortController();
        const { signal } = timeout;
        await Promise.race([
          this.#arrival.promise,
          delay(ms, undefined, { signal }).catch(() => {}),
        ]);
        timeout.abort();
      } else if (next.kind === "event" && next.handler === handler) {
        tasks.push(next);
        this.#peeked = undefined;
      } else {
        break;
      }
    }
    return tasks;
  }

  /** Processes records until they are done, however often that fails. @returns false when that was given up. */
  async #finish(tasks: readonly Task[]): Promise<boolean> {
    const [first] = tasks as [Task];
    this.busySince = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (tasks.length > 1) await this.#delivery.deliverBatch(tasks as EventTask[], this.#signal);
        else await this.#delivery.deliver(first, this.#signal, attempt === 1 ? RETRIES : 0);
        break;
      } catch (error) {
        if (this.#signal.aborted || this.#isOver()) return false;
        this.failure = error as Error;
        await delay(backoff(attempt), undefined, { signal: this.#signal }).catch(() => {});
        if (this.#isOver()) return false;
      }
    }
    this.failure = undefined;
    this.busySince = undefined;
    // Another member has it by now.
    if (this.#closing.signal.aborted) return false;
    this.#done = tasks.at(-1)!.record.offset + 1n;
    this.#events.onDone(tasks.length);
    return true;
  }
}

function sizeOf({ key, value }: KafkaRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}
