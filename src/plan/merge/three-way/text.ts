import { type Cluster, clustersOf } from "./clusters.ts";
import { split, type Text, usualEnd } from "./encoding.ts";
import { type Hunk, hunksOf } from "./hunks.ts";
import { Output } from "./output.ts";

/** Who is who at the marks of a conflict. */
export interface Labels {
  mine: string;
  theirs: string;
}

/** Lines that both sides changed, each in its own way. */
export interface Clash {
  base: string[];
  mine: string[];
  theirs: string[];
}

/** Decides a clash without asking anybody; undefined when it cannot. */
export type Resolve = (clash: Clash) => string[] | undefined;

export interface MergedText {
  text: string;
  conflicts: number;
}

/**
 * Merges line by line. Changes that only touch each other do not clash; what does, and `resolve` cannot
 * decide, stands in the result between the marks that git makes.
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
    settle(out, cluster, texts, labels, resolve);
  }
  out.keep(texts.base.lines.length - position);
  return { text: finish(out, texts), conflicts: out.conflicts };
}

function settle(
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
  writeClash(out, base.length, own ?? [], other ?? [], labels);
  out.keep(tail);
}

function writeClash(
  out: Output,
  replaced: number,
  mine: string[],
  theirs: string[],
  labels: Labels,
) {
  // One side inserted what the other did, and more.
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
  return pick(({ mark }) => mark) + (pick(isClosed) ? text : text.replace(/\r?\n$/, ""));
}

/** Its last line ends as all others do. */
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
