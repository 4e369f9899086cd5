import { isDeepStrictEqual } from "node:util";

import type { Entry, Node } from "./node.ts";

/** Gives the items of three lists the same key where they are the same item, edited or not. */
export function alignItems(
  base: Node | undefined,
  mine: Node,
  theirs: Node,
): { base: Node | undefined; mine: Node; theirs: Node } {
  const was = base && { ...base, entries: numbered(base.entries) };
  const known = was?.entries ?? [];
  return {
    base: was,
    mine: { ...mine, entries: numbered(alignTo(known, mine.entries)) },
    theirs: { ...theirs, entries: numbered(alignTo(known, theirs.entries)) },
  };
}

function alignTo(base: readonly Entry[], side: readonly Entry[]): Entry[] {
  const free = new Set(base);
  const keys = new Map<Entry, string>();
  const match = (isSame: (old: Entry, item: Entry) => boolean) => {
    for (const item of side.filter((entry) => !keys.has(entry))) {
      const old = [...free].find((entry) => isSame(entry, item));
      if (old) {
        keys.set(item, old.key);
        free.delete(old);
      }
    }
  };
  match((old, item) => isDeepStrictEqual(old.node.value, item.node.value));
  match((old, item) => old.key.split(REPEATED)[0] === item.key);
  return side.map((entry) => ({ ...entry, key: keys.get(entry) ?? entry.key }));
}

const REPEATED = " number ";

/** Makes keys differ that several items have. */
function numbered(entries: readonly Entry[]): Entry[] {
  const taken = new Set<string>();
  return entries.map((entry) => {
    let key = entry.key;
    for (let count = 2; taken.has(key); count += 1) {
      key = `${entry.key}${REPEATED}${count}`;
    }
    taken.add(key);
    return { ...entry, key };
  });
}

// What names an item of the lists that we write: panels, alerts, dependencies, statements, steps.
const NAMES = ["id", "uid", "sid", "Sid", "alert", "record", "name", "key"];
const KINDS = ["type", "metric", "effect", "title", "path", "uses", "port"];

/** What tells an item from the others of its list, even when it is edited. */
export function identityOf(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return JSON.stringify(value);
  }
  const fields = new Map(Object.entries(value));
  const name = NAMES.find((key) => fields.has(key));
  const telling = [...(name === undefined ? KINDS : ["type", name])].filter((key) =>
    ["string", "number"].includes(typeof fields.get(key)),
  );
  return telling.length > 0
    ? telling.map((key) => `${key} ${String(fields.get(key))}`).join(", ")
    : JSON.stringify(value);
}
