import { diffIndices } from "node-diff3";

import { decode, split, type Text, usualEnd } from "./encoding.ts";

/** The names of the two sides at conflict markers. */
export interface Labels {
  mine: string;
  theirs: string;
}

/** Lines that both sides changed, each in its own way. */
export interface ConflictRegion {
  base: string[];
  mine: string[];
  theirs: string[];
}

/** Resolves a region without the user; undefined when it cannot. */
export type Resolve = (region: ConflictRegion) => string[] | undefined;

export interface MergedText {
  text: string;
  conflicts: number;
}

/**
 * Merges line by line. Adjacent changes do not conflict. A conflict that `resolve` cannot decide stands
 * in the result between conflict markers, as git writes them.
 */
export function mergeText(
  base: string,
  mine: string,
  theirs: string,
  labels: Labels,
  resolve: Resolve = () => undefined,
): MergedText {
  const texts = { base: split(base), mine: split(mine), theirs: split(theirs) };
  const clusters = clustersOf(
    hunksOf(texts.base.lines, texts.mine.lines),
    hunksOf(texts.base.lines, texts.theirs.lines),
  );
  const end = usualEnd(texts.mine.ends);
  const out = new Output(texts.mine, end);
  let position = 0;
  for (const cluster of clusters) {
    out.keep(cluster.start - position);
    position = cluster.end;
    mergeCluster(out, cluster, texts, labels, resolve);
  }
  out.keep(texts.base.lines.length - position);
  return { text: finish(out, texts), conflicts: out.conflicts };
}

function mergeCluster(
  out: Output,
  cluster: Cluster,
  texts: { base: Text; mine: Text; theirs: Text },
  labels: Labels,
  resolve: Resolve,
): void {
  const base = texts.base.lines.slice(cluster.start, cluster.end);
  const mine = linesOf(texts.mine, cluster, cluster.mine) ?? base;
  const theirs = linesOf(texts.theirs, cluster, cluster.theirs) ?? base;
  if (cluster.theirs.length === 0 || same(mine, theirs)) {
    out.keep(mine.length);
    return;
  }
  const decided = cluster.mine.length === 0 ? theirs : resolve({ base, mine, theirs });
  if (decided) {
    out.skip(mine.length);
    out.add(decided);
    return;
  }
  const head = commonHead(mine, theirs);
  const tail = commonHead(mine.slice(head).toReversed(), theirs.slice(head).toReversed());
  const [own, other] = [mine, theirs].map((lines) => lines.slice(head, lines.length - tail));
  out.keep(head);
  writeConflict(out, base.length, own ?? [], other ?? [], labels);
  out.keep(tail);
}

function writeConflict(
  out: Output,
  replaced: number,
  mine: string[],
  theirs: string[],
  labels: Labels,
) {
  // One side's insertion contains the other's.
  if (replaced === 0 && (mine.length === 0 || theirs.length === 0)) {
    out.keep(mine.length);
    out.add(theirs);
    return;
  }
  out.add([`<<<<<<< ${labels.mine}`]);
  out.keep(mine.length);
  out.add(["======="]);
  out.add(theirs);
  out.add([`>>>>>>> ${labels.theirs}`]);
  out.conflicts += 1;
}

/** What a side has in place of the cluster's base lines; undefined when it left them alone. */
function linesOf({ lines }: Text, cluster: Cluster, hunks: readonly Hunk[]): string[] | undefined {
  const [first, last] = [hunks[0], hunks.at(-1)];
  return first && last
    ? lines.slice(
        first.sideStart - (first.start - cluster.start),
        last.sideEnd + (cluster.end - last.end),
      )
    : undefined;
}

function finish(out: Output, { base, mine, theirs }: Record<"base" | "mine" | "theirs", Text>) {
  const pick = <Style>(of: (text: Text) => Style) =>
    of(mine) === of(base) ? of(theirs) : of(mine);
  const text = out.lines.map((line, index) => line + (out.ends[index] ?? "")).join("");
  return (
    pick(({ byteOrderMark }) => byteOrderMark) +
    (pick(isClosed) ? text : text.replace(/\r?\n$/, ""))
  );
}

/** Its last line has a line end. */
function isClosed({ lines, ends }: Text): boolean {
  return ends.length >= lines.length;
}

function commonHead(one: readonly string[], two: readonly string[]): number {
  const differs = one.findIndex((line, index) => line !== two[index]);
  return differs === -1 ? Math.min(one.length, two.length) : differs;
}

function same(one: readonly string[], two: readonly string[]): boolean {
  return one.length === two.length && one.every((line, index) => line === two[index]);
}

/** A stretch of base lines, and the lines of one side that take their place. */
interface Hunk {
  start: number;
  end: number;
  /** Where the side's lines stand in its own text. */
  sideStart: number;
  sideEnd: number;
}

// The search is quadratic in the lines that differ, and nobody edits this many by hand.
const SEARCH_LIMIT = 20_000;

/** How one side differs from the base, in the order of the base's lines. */
export function hunksOf(base: readonly string[], side: readonly string[]): Hunk[] {
  const shorter = Math.min(base.length, side.length);
  let head = 0;
  while (head < shorter && base[head] === side[head]) {
    head += 1;
  }
  let tail = 0;
  while (tail < shorter - head && base.at(-1 - tail) === side.at(-1 - tail)) {
    tail += 1;
  }
  const [before, after] = [base, side].map((lines) => lines.slice(head, lines.length - tail));
  return differences(before ?? [], after ?? []).map(({ buffer1, buffer2 }) => ({
    start: head + buffer1[0],
    end: head + buffer1[0] + buffer1[1],
    sideStart: head + buffer2[0],
    sideEnd: head + buffer2[0] + buffer2[1],
  }));
}

function differences(before: string[], after: string[]) {
  if (before.length + after.length === 0) {
    return [];
  }
  if (Math.max(before.length, after.length) > SEARCH_LIMIT) {
    return [{ buffer1: [0, before.length] as const, buffer2: [0, after.length] as const }];
  }
  return diffIndices(before, after);
}

/** Base lines that at least one side changed, and the changes of each. */
interface Cluster {
  start: number;
  end: number;
  mine: Hunk[];
  theirs: Hunk[];
}

/** Groups the changes of both sides where they overlap, in the order of the base. */
function clustersOf(mine: readonly Hunk[], theirs: readonly Hunk[]): Cluster[] {
  const hunks = [
    ...mine.map((hunk) => ({ hunk, side: "mine" as const })),
    ...theirs.map((hunk) => ({ hunk, side: "theirs" as const })),
  ].sort((a, b) => a.hunk.start - b.hunk.start || a.hunk.end - b.hunk.end);
  const clusters: Cluster[] = [];
  for (const { hunk, side } of hunks) {
    let cluster = clusters.at(-1);
    if (!cluster || !overlaps(cluster, hunk)) {
      cluster = { start: hunk.start, end: hunk.end, mine: [], theirs: [] };
      clusters.push(cluster);
    }
    cluster.end = Math.max(cluster.end, hunk.end);
    cluster[side].push(hunk);
  }
  return clusters;
}

/** Two insertions at one place have no order, so they overlap; an insertion next to a change does not. */
function overlaps(cluster: Cluster, hunk: Hunk): boolean {
  const bothInsert = cluster.start === cluster.end && hunk.start === hunk.end;
  return hunk.start < cluster.end || (bothInsert && hunk.start === cluster.end);
}

/** The result so far. The user's lines keep their own line ends. */
class Output {
  readonly lines: string[] = [];
  readonly ends: string[] = [];
  conflicts = 0;
  readonly #mine: Text;
  readonly #end: string;
  #position = 0;

  constructor(mine: Text, end: string) {
    this.#mine = mine;
    this.#end = end;
  }

  /** Takes the next lines of the user's. */
  keep(count: number): void {
    const upTo = this.#position + count;
    for (; this.#position < upTo; this.#position += 1) {
      this.lines.push(this.#mine.lines[this.#position] ?? "");
      this.ends.push(this.#mine.ends[this.#position] ?? this.#end);
    }
  }

  skip(count: number): void {
    this.#position += count;
  }

  add(lines: readonly string[]): void {
    this.lines.push(...lines);
    this.ends.push(...lines.map(() => this.#end));
  }
}

// Lines whose order does not matter: imports, and list items that all end with a comma.
const IMPORT = /^(?:import|export) .*["'];?$/;
const ITEM = /^\s+(?:\.\.\.)?[\w$.]+(?:: [^{}()[\]]*)?,$/;

/** Both sides inserted code at one place: both stay when their order does not matter. */
export function keepUnorderedCode({ base, mine, theirs }: ConflictRegion): string[] | undefined {
  const both = [...mine, ...theirs];
  const areAll = (form: RegExp) => both.every((line) => form.test(line));
  const unordered = areAll(IMPORT) || (areAll(ITEM) && !disagree(mine, theirs));
  return base.length === 0 && unordered ? union(mine, theirs) : undefined;
}

/** Both sides have an item of one name with different values. */
function disagree(mine: readonly string[], theirs: readonly string[]): boolean {
  const own = new Map(mine.map((line) => [nameOf(line), line.trim()]));
  return theirs.some((line) => (own.get(nameOf(line)) ?? line.trim()) !== line.trim());
}

function nameOf(line: string): string | undefined {
  return /^[^:,]+/.exec(line.trim())?.[0];
}

/** Both sides inserted prose at one place: both stay. */
export function keepProse({ base, mine, theirs }: ConflictRegion): string[] | undefined {
  if (base.length > 0) {
    return undefined;
  }
  const rows = [...mine, ...theirs].every((line) => /^\s*(?:[|*-]|\d+\.)/.test(line));
  const gap = rows || mine.at(-1) === "" || theirs[0] === "" ? [] : [""];
  return [...mine, ...gap, ...theirs];
}

/** Both sides inserted YAML entries of the same depth at one place: both stay. */
export function keepYaml({ base, mine, theirs }: ConflictRegion): string[] | undefined {
  const [own, other] = [mine, theirs].map((lines) => lines.find((line) => /^ *[^\s#]/.test(line)));
  const entries = [own, other].every(
    (line) => line !== undefined && /^ *(?:- |[\w.-]+:)/.test(line),
  );
  return base.length === 0 && entries && depthOf(own) === depthOf(other)
    ? [...mine, ...theirs]
    : undefined;
}

function depthOf(line = ""): number {
  return line.search(/[^ ]/);
}

function union(mine: readonly string[], theirs: readonly string[]): string[] {
  return [...mine, ...theirs.filter((line) => !mine.includes(line))];
}

const CONFLICT = /^<{7} .*\n[^]*?^={7}\r?\n[^]*?^>{7} /m;

/** Whether a conflict still waits for a decision in this text. */
export function hasConflictMarkers(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).includes("<<<<<<< ") && CONFLICT.test(decode(bytes) ?? "");
}
