import { posix } from "node:path";
import { isDeepStrictEqual } from "node:util";

import jsTokens, { type Token } from "js-tokens";
import { parseAllDocuments } from "yaml";

import { blobId } from "./blob-id.ts";
import { decode, plain, sameText } from "./merge/three-way/encoding.ts";

const CODE = new Set([".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".json", ".jsonc"]);
const YAML = new Set([".yml", ".yaml"]);

/**
 * Whether two files differ in formatting at most: in white space, quotes, semicolons, trailing commas,
 * and the bars and parentheses that come and go with line breaks. All else counts as a difference.
 */
export function sameApartFromFormatting(path: string, one: Uint8Array, two: Uint8Array): boolean {
  if (sameText(one, two)) {
    return true;
  }
  const [first, second] = [one, two].map((bytes) => partsOf(path, bytes));
  return first !== undefined && second !== undefined && isDeepStrictEqual(first, second);
}

/** An id that two files share when they differ in formatting at most. */
export function idApartFromFormatting(path: string, bytes: Uint8Array): string {
  const parts = partsOf(path, bytes);
  const text = parts === undefined ? decode(bytes) : JSON.stringify(parts);
  return blobId(text === undefined ? bytes : Buffer.from(plain(text)));
}

/** What a file says, without its formatting; undefined for what is not text, and for YAML with errors. */
function partsOf(path: string, bytes: Uint8Array): unknown[] | undefined {
  const source = decode(bytes);
  const extension = posix.extname(path);
  if (source === undefined || YAML.has(extension)) {
    return source === undefined ? undefined : yamlOf(source);
  }
  return CODE.has(extension) ? tokensOf(source) : linesOf(source);
}

/** The words of a program, without what formatters add or drop. Strings have one kind of quotes. */
function tokensOf(source: string): string[] {
  const tokens = [...jsTokens(plain(source))].flatMap(normalized);
  const optional = new Set<number>();
  for (const [index, token] of tokens.entries()) {
    const [before = "", after = ""] = [tokens[index - 1], tokens[index + 1]];
    // Long unions get a bar before their first member, long results parentheses around them.
    const isLeadingBar = token === "|" && /^(?:[=:(<,]|as|extends)$/.test(before);
    if (token === ";" || isLeadingBar || (token === "," && /^[)\]}]$/.test(after))) {
      optional.add(index);
    }
    if (token === "(" && /^(?:=>|return)$/.test(before)) {
      const end = closingOf(tokens, index);
      if (!CONTINUATION.test(tokens[end + 1] ?? "")) {
        optional.add(index).add(end);
      }
    }
  }
  return tokens.filter((_, index) => !optional.has(index));
}

// What makes a value in parentheses the first part of a longer one.
const CONTINUATION = /^(?!\/[/*])(?:[^\w\s;,)\]}"'#$@{]|in$|instanceof$|as$|satisfies$)/;

function normalized({ type, value }: Token): string[] {
  switch (type) {
    case "WhiteSpace":
    case "LineTerminatorSequence":
      return [];
    case "StringLiteral":
      return [`"${value.slice(1, -1).replace(/\\(["'])/g, "$1")}"`];
    case "MultiLineComment":
      return [value.replace(/\s+/g, " ")];
    default:
      // The ends of nested type arguments are one word or several.
      return /^>+$/.test(value) ? value.split("") : [value];
  }
}

/** Where a parenthesis is closed. */
function closingOf(tokens: readonly string[], start: number): number {
  let depth = 0;
  for (let index = start; index < tokens.length; index += 1) {
    depth += Number(tokens[index] === "(") - Number(tokens[index] === ")");
    if (depth === 0) {
      return index;
    }
  }
  return tokens.length;
}

/** White space means something in YAML, so its values are compared, and its comments. */
function yamlOf(source: string): unknown[] | undefined {
  const documents = parseAllDocuments(source, { logLevel: "silent" });
  if (documents.some(({ errors }) => errors.length > 0)) {
    return undefined;
  }
  try {
    const values = documents.map((document) => document.toJS() as unknown);
    // An anchor may hold itself, and then it has no text to compare.
    JSON.stringify(values);
    return [source.match(/(?<=^|\s)#.*/gm), ...values];
  } catch {
    // An alias without its anchor.
    return undefined;
  }
}

/** The lines of prose and the like, without blank ones. A table's rule is as long as its cells. */
function linesOf(source: string): string[] {
  const blocks = plain(source).split(/^```(.*)\n([^]*?)^```$/m);
  return blocks.flatMap((block, index) =>
    // Every third part is a block of code, after its language.
    index % 3 === 2 && /^[jt]s|json/.test(blocks[index - 1] ?? "")
      ? tokensOf(block)
      : block
          .split("\n")
          .map((line) => line.trim().replace(/\s+/g, " ").replace(/-{3,}/g, "---"))
          .map((line) => line.replace(/ ?\| ?/g, "|"))
          .filter((line) => line !== ""),
  );
}
