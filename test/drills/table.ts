import type { Drill, Outcome } from "./drills/outcome.ts";

/** The outcomes of all drills, a column for each subject, as Markdown. */
export function tableOf(drills: Drill[], columns: Map<string, Map<string, Outcome>>): string {
  const names = [...columns.keys()];
  const rows = drills.map(({ title, counts }) => [
    title,
    counts,
    ...names.map((name) => columns.get(name)?.get(title)?.text ?? "–"),
  ]);
  const lines = [
    ["drill", "what is counted", ...names],
    names.concat("", "").map(() => "---"),
    ...rows,
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
