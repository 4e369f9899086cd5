import { setTimeout as delay } from "node:timers/promises";

/** Joins single items into batches, because a request for each would cost a hundred times as much. */
export interface MicroBatcher<Item> {
  /** Resolves when the item's batch is sent; rejects when that fails or takes too long. */
  add(item: Item, bytes: number): Promise<void>;
  /** Resolves when everything that waits has been sent or has failed. */
  drain(): Promise<void>;
}

interface Waiting<Item> {
  item: Item;
  bytes: number;
  /** In milliseconds of performance.now(). */
  deadline: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** How long the first item waits for others; afterwards, what came while a batch was being sent is the next one. */
const LINGER_MS = 5;
const MAX_ITEMS = 1_000;
/** Below what a broker accepts in one batch: 1 MiB, unless the topic says otherwise. */
const MAX_BYTES = 900_000;
/** Without a limit, an outage would fill the memory. */
const MAX_WAITING = 10_000;

const GUARD_MS = 250;

/** Items come faster than they can be sent. */
export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
}

/**
 * Sends one batch at a time, so that the order is kept.
 * @param deadlineMs after which an item fails; when it is being sent then, it may arrive all the same.
 * @param isForOne whether an error concerns one item only: then each of the batch is sent alone.
 */
export function createMicroBatcher<Item>(
  send: (items: Item[]) => Promise<void>,
  deadlineMs: number,
  isForOne: (error: unknown) => boolean = () => false,
): MicroBatcher<Item> {
  const queue: Waiting<Item>[] = [];
  let sending: Waiting<Item>[] = [];
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    const guard = setInterval(expire, GUARD_MS);
    await delay(LINGER_MS);
    while (queue.length > 0) {
      sending = takeBatch(queue);
      await sendOut(sending);
      sending = [];
    }
    clearInterval(guard);
    running = undefined;
  }

  async function sendOut(batch: Waiting<Item>[]): Promise<void> {
    try {
      await send(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      if (batch.length > 1 && isForOne(error)) {
        for (const one of batch) await sendOut([one]);
      } else {
        for (const { reject } of batch) reject(error);
      }
    }
  }

  /** Ends the wait for items that are late. Those that are being sent are not taken back. */
  function expire(): void {
    const now = performance.now();
    for (const { deadline, reject } of sending) if (deadline <= now) reject(late());
    while (queue[0] !== undefined && queue[0].deadline <= now) queue.shift()!.reject(late());
  }

  return {
    add(item, bytes) {
      if (queue.length >= MAX_WAITING)
        return Promise.reject(new QueueFullError("the queue is full"));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      queue.push({ item, bytes, deadline: performance.now() + deadlineMs, resolve, reject });
      running ??= run();
      return promise;
    },
    drain: async () => running,
  };
}

/** Takes as many from the front as may be sent together; an item that is too large for a batch goes alone. */
export function takeBatch<Item extends { bytes: number }>(queue: Item[]): Item[] {
  let count = 0;
  let bytes = 0;
  while (count < Math.min(queue.length, MAX_ITEMS)) {
    bytes += queue[count]!.bytes;
    if (count > 0 && bytes > MAX_BYTES) break;
    count += 1;
  }
  return queue.splice(0, count);
}

function late(): Error {
  return new Error("no acknowledgement in time");
}
