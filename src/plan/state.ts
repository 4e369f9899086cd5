import type { Answers } from "../answers/schema.ts";
import { chosenIntegrations } from "../catalog/layers.ts";
import { entryNamed } from "../catalog/manifest.ts";
import type { Templates } from "../catalog/templates.ts";
import { blobId } from "./blob-id.ts";
import type { RememberedFiles } from "./remembered.ts";
import type { Tree, TreeFile } from "./tree.ts";

/** The service's own record of what it was made from; later commands start at it. */
export const STATE_FILE = ".fetch-service.json";

/** The format of the state files that this version writes. */
export const FORMAT = 1;

/** The state file. It holds no time, no command line, no secret and no absolute path. */
export function stateOf(
  templates: Templates,
  answers: Answers,
  tree: Tree,
  remembered: RememberedFiles,
): TreeFile {
  const { lockfile } = entryNamed(templates.manifest.packageManagers, answers.packageManager);
  // In the manifest's order, so that it does not matter in which they were added.
  const chosen = chosenIntegrations(templates.manifest, answers.integrations);
  const files = [...tree].map(
    ([path, file]) => [path, { blob: blobId(file.bytes), owner: file.owner }] as const,
  );
  const others = [...remembered].map(([path, { blob, owner }]) => [path, { blob, owner }] as const);
  const state = {
    format: FORMAT,
    templateVersion: templates.version,
    answers: sortKeys({ ...answers, integrations: chosen.map(({ name }) => name) }),
    // The package manager writes the lockfile, so no blob is recorded.
    files: sortKeys(Object.fromEntries([...files, ...others, [lockfile, { owner: "managed" }]])),
  };
  const bytes = Buffer.from(`${toJson(state)}\n`);
  return { bytes, mode: 0o644, owner: "managed" };
}

function sortKeys(record: object): object {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** JSON as the usual formatters leave it: objects on several lines, short lists on one. */
export function toJson(value: unknown, indent = ""): string {
  if (Array.isArray(value)) {
    return `[${value.map((item) => toJson(item, indent)).join(", ")}]`;
  }
  if (typeof value !== "object" || value === null) {
    return JSON.stringify(value);
  }
  const inner = `${indent}  `;
  const lines = Object.entries(value).map(
    ([key, part]) => `${inner}${JSON.stringify(key)}: ${toJson(part, inner)}`,
  );
  return `{\n${lines.join(",\n")}\n${indent}}`;
}
