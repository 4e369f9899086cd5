/** A queue between event handlers, which only put things in, and the one loop that takes them out. */
export interface Inbox<Item> {
  put(item: Item): void;
  /** The next item, or undefined when none came for `waitMs`. */
  take(waitMs: number): Promise<Item | undefined>;
}

export function createInbox<Item>(): Inbox<Item> {
  const items: Item[] = [];
  let wake: (() => void) | undefined;
  return {
    put(item) {
      items.push(item);
      wake?.();
    },
    async take(waitMs) {
      if (items.length === 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, waitMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = undefined;
      }
      return items.shift();
    },
  };
}
