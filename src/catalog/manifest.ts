import type * as z from "zod/mini";

import { InternalError } from "../errors.ts";
import type { exampleSchema, manifestSchema } from "./manifest-schema.ts";

/** The catalogue: everything that a user can choose. */
export type Manifest = z.infer<typeof manifestSchema>;
export type Integration = Manifest["integrations"][number];
export type Example = z.infer<typeof exampleSchema>;
export type PackageManager = Manifest["packageManagers"][number];

/** The entry of that name, which the answers' schema has already checked. */
export function entryNamed<Entry extends { name: string }>(
  entries: readonly Entry[],
  name: string,
): Entry {
  const entry = entries.find((candidate) => candidate.name === name);
  if (!entry) {
    throw new InternalError(`the manifest has no entry "${name}"`);
  }
  return entry;
}
