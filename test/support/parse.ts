import { parseAst } from "rolldown/parseAst";
import { parse as parseYaml } from "yaml";

/** Every text in a file that a program would read: JSON, YAML, TypeScript. Throws when it does not parse. */
export function textsIn(path: string, source: string): string[] {
  if (path.endsWith(".json")) {
    return stringsOf(JSON.parse(source));
  }
  if (/\.ya?ml$/.test(path)) {
    return stringsOf(parseYaml(source));
  }
  if (/\.[cm]?ts$/.test(path)) {
    return stringsOf(parseAst(source, { lang: "ts" }));
  }
  return [];
}

function stringsOf(value: unknown): string[] {
  if (typeof value === "string") {
    return [value];
  }
  return typeof value === "object" && value !== null
    ? Object.values(value).flatMap((part) => stringsOf(part))
    : [];
}
