import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Answers } from "../../../src/answers/schema.ts";
import { render } from "../../../src/plan/render.ts";
import { wholeArchive } from "../../support/archive.ts";

const archive = wholeArchive();

/** Writes the service that an older version wrote for these answers. */
export function writeArchived(version: string, answers: Answers, directory: string): void {
  const templates = archive.templates(version);
  if (!templates) {
    throw new Error(`${version} is not in the archive`);
  }
  for (const [path, { bytes, mode }] of render(templates, answers)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes, { mode });
  }
}
