/** A queue between event handlers, which only put things in, and the one loop that takes them out. */
export interface Inbox<Item> {
  put(item: Item): void;
  /** All that came in, in order; empty when nothing did for `waitMs`. */
  take(waitMs: number): Promise<Item[]>;
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
      return items.splice(0);
    },
  };
}
