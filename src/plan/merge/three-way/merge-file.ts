import { posix } from "node:path";

import { decode, equal } from "./encoding.ts";
import { mergeJson, mergePackageJson } from "./json.ts";
import type { Merged } from "./merged.ts";
import { mergeEnvFiles, mergeIgnoreFiles } from "./set.ts";
import {
  keepProse,
  keepUnorderedCode,
  keepYaml,
  type Labels,
  mergeText,
  type Resolve,
} from "./text.ts";
import { isYaml, mergeYaml } from "./yaml.ts";

/** Merges texts of one format; undefined when one of them is not of that format. */
type ThreeWay = (base: string, mine: string, theirs: string, labels: Labels) => Merged | undefined;

const BY_NAME: Record<string, ThreeWay> = {
  "package.json": mergePackageJson,
  ".env.example": mergeEnvFiles,
  ".gitignore": mergeIgnoreFiles,
  ".dockerignore": mergeIgnoreFiles,
};

const BY_EXTENSION: Record<string, ThreeWay> = {
  ".json": mergeJson,
  ".yml": mergeYamlOrLines,
  ".yaml": mergeYamlOrLines,
  ".md": lineByLine(keepProse),
};

const mergeCode = lineByLine(keepUnorderedCode);

/**
 * Merges one file. Equal bytes decide first, whatever the format: who changed nothing has nothing to
 * say. Undefined when nothing sensible can come of it, such as for bytes that are no text.
 */
export function mergeFile(
  path: string,
  bytes: { base: Uint8Array; mine: Uint8Array; theirs: Uint8Array },
  labels: Labels,
): (Omit<Merged, "text"> & { bytes: Uint8Array }) | undefined {
  if (equal(bytes.base, bytes.theirs) || equal(bytes.mine, bytes.theirs)) {
    return { bytes: bytes.mine, conflicts: 0, notes: [] };
  }
  if (equal(bytes.base, bytes.mine)) {
    return { bytes: bytes.theirs, conflicts: 0, notes: [] };
  }
  const [base, mine, theirs] = [bytes.base, bytes.mine, bytes.theirs].map(decode);
  if (base === undefined || mine === undefined || theirs === undefined) {
    return undefined;
  }
  const merged = mergerFor(path)(base, mine, theirs, labels);
  return merged && { ...merged, bytes: Buffer.from(merged.text) };
}

function mergerFor(path: string): ThreeWay {
  return BY_NAME[posix.basename(path)] ?? BY_EXTENSION[posix.extname(path)] ?? mergeCode;
}

function mergeYamlOrLines(...texts: Parameters<ThreeWay>): Merged | undefined {
  const [base, mine, theirs] = texts;
  // Lines that fit together may still be the same key twice.
  return (
    mergeYaml(base, mine, theirs) ??
    [lineByLine(keepYaml), lineByLine(() => undefined)]
      .map((merge) => merge(...texts))
      .find(({ text, conflicts }) => conflicts > 0 || isYaml(text))
  );
}

function lineByLine(resolve: Resolve) {
  return (base: string, mine: string, theirs: string, labels: Labels): Merged => ({
    ...mergeText(base, mine, theirs, labels, resolve),
    notes: [],
  });
}
