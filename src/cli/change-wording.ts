import type { Change } from "../plan/plan.ts";

const SIGNS = { create: "+", update: "~", delete: "-" } as const;

/** A change as a line of a plan. */
export function changeLine({ path, kind, conflicts }: Change): string {
  return `  ${SIGNS[kind]} ${path}${conflicts > 0 ? `  (${conflicts} to decide)` : ""}`;
}

/** As in "3 created, 1 changed". */
export function countsOf(changes: readonly Change[]): string {
  const count = (kind: Change["kind"]) => changes.filter((change) => change.kind === kind).length;
  const counts = [
    [count("create"), "created"],
    [count("update"), "changed"],
    [count("delete"), "deleted"],
  ] as const;
  const parts = counts
    .filter(([number]) => number > 0)
    .map(([number, verb]) => `${number} ${verb}`);
  return parts.length > 0 ? parts.join(", ") : "nothing to change";
}
