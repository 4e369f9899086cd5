/** Joins single items to batches, because a request for each would cost a hundred times as much. */
export interface MicroBatcher<Item> {
  /** Resolves when the item's batch is sent; rejects when that fails or takes too long. */
  add(item: Item, bytes: number): Promise<void>;
  /** Sends what waits, and resolves when all of it has been sent or has failed. */
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

/** The wait for company; after that, whatever came while the last batch was under way goes next. */
const LINGER_MS = 5;
const MAX_ITEMS = 1_000;
/** Together below what a broker accepts at once, which is 1 MiB unless its topic says otherwise. */
const MAX_BYTES = 900_000;
/** What waits is bounded, or an outage would fill the memory. */
const MAX_WAITING = 10_000;

const GUARD_MS = 250;

/** The queue is full: what is to be sent comes faster than it goes. */
export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
}

/**
 * One batch is under way at a time, so that nothing overtakes.
 * @param deadlineMs after which an item fails; it may all the same arrive, when it was under way.
 */
export function createMicroBatcher<Item>(
  send: (items: Item[]) => Promise<void>,
  deadlineMs: number,
): MicroBatcher<Item> {
  const queue: Waiting<Item>[] = [];
  let underWay: Waiting<Item>[] = [];
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    const guard = setInterval(expire, GUARD_MS);
    await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
    while (queue.length > 0) {
      underWay = takeBatch(queue);
      try {
        await send(underWay.map(({ item }) => item));
        for (const { resolve } of underWay) resolve();
      } catch (error) {
        for (const { reject } of underWay) reject(error);
      }
      underWay = [];
    }
    clearInterval(guard);
    running = undefined;
  }

  /** What is under way stays there, but nobody waits for it any more. */
  function expire(): void {
    const now = performance.now();
    for (const { deadline, reject } of underWay) if (deadline <= now) reject(late());
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

/** Takes as many from the front as may be sent at once; one that is too large for that alone goes alone. */
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
