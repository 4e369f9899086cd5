import type { SortCondition } from "./repository.ts";

/** A key condition for the sort key `#sk`, and the values that it names. */
export function sortExpression(sort: SortCondition): {
  expression: string;
  values: Record<string, string>;
} {
  if ("equals" in sort) return { expression: "#sk = :sort", values: { ":sort": sort.equals } };
  if ("before" in sort) return { expression: "#sk < :sort", values: { ":sort": sort.before } };
  if ("from" in sort) return { expression: "#sk >= :sort", values: { ":sort": sort.from } };
  if ("beginsWith" in sort) {
    return { expression: "begins_with(#sk, :sort)", values: { ":sort": sort.beginsWith } };
  }
  const [from, to] = sort.between;
  return { expression: "#sk BETWEEN :sort AND :to", values: { ":sort": from, ":to": to } };
}

/** Sets and removes attributes by path, on condition of a version. */
export function updateExpression(
  set: readonly (readonly [path: string[], value: unknown])[],
  removed: readonly string[][],
  version: number,
) {
  const names: Record<string, string> = { "#version": "version" };
  const values: Record<string, unknown> = { ":version": version };
  const nameOf = (path: string[]): string =>
    path
      .map((part) => {
        const known = Object.keys(names).find((name) => names[name] === part);
        const name = known ?? `#n${Object.keys(names).length}`;
        names[name] = part;
        return name;
      })
      .join(".");
  const sets = set.map(([path, value], index) => {
    values[`:v${index}`] = value;
    return `${nameOf(path)} = :v${index}`;
  });
  const removes = removed.map(nameOf);
  return {
    UpdateExpression: [
      `SET ${sets.join(", ")}`,
      ...(removes.length > 0 ? [`REMOVE ${removes.join(", ")}`] : []),
    ].join(" "),
    ConditionExpression: "#version = :version",
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}
