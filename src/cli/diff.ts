import { createTwoFilesPatch } from "diff";

import { UserError } from "../errors.ts";
import type { Drift } from "../plan/drift.ts";
import { plain, restyle } from "../plan/merge/three-way/encoding.ts";
import type { ServiceCommand } from "./commands.ts";
import { openService, servicePath } from "./open-service.ts";
import { type DriftReading, readDrift } from "./read-drift.ts";

/** Shows what a service has that its own answers' render has not, as `git diff` would. */
export const diff: ServiceCommand = async (host, report, options) => {
  const service = await openService(host, report, options.directory);
  const reading = await readDrift(host, service);
  const paths = options.names.map(servicePath);
  paths.forEach((path) => refuseUnknown(reading, path));
  // What is the user's alone is no drift; who asks for it by name wants to see it all the same.
  const shown = reading.drifts.filter(({ path, kind, yours }) =>
    kind === "beside" ? false : paths.length > 0 ? isAmong(path, paths) : !yours,
  );
  const patches = shown.map((drift) => ({ path: drift.path, patch: patchOf(reading, drift) }));
  if (report.json) {
    report.document({ diff: patches });
  } else {
    patches.forEach(({ patch }) => report.patch(patch));
  }
  return 0;
};

function refuseUnknown({ once, mine, unknown }: DriftReading, path: string): void {
  const known = [...once.keys(), ...mine.keys(), ...unknown.keys()];
  if (!known.some((candidate) => isAmong(candidate, [path]))) {
    throw new UserError("USAGE", `${path} is no file of this service`, "paths start at its folder");
  }
}

function isAmong(path: string, wanted: readonly string[]): boolean {
  return wanted.some((one) => one === "." || path === one || path.startsWith(`${one}/`));
}

function patchOf({ once, mine, unknown }: DriftReading, { path, kind }: Drift): string {
  const [before, after] = [once.get(path)?.bytes, mine.get(path)?.bytes];
  const to = after ? path : "/dev/null";
  const inWords = (words: string) => `--- template/${path}\n+++ ${to}\n${words}\n`;
  if (kind === "mode") {
    return inWords("the mode differs");
  }
  if (unknown.has(path)) {
    return inWords("it differs; what the template once wrote there is lost");
  }
  const [old, own] = [textOf(before), textOf(after)];
  if (old === undefined || own === undefined) {
    return inWords("the bytes differ");
  }
  // Line ends are no difference, so they are shown as the user has them.
  const written = after ? restyle(plain(old), old, own, old) : old;
  const patch = createTwoFilesPatch(`template/${path}`, to, written, own, "", "");
  // The library's first line is one of equal signs, which git's has not.
  return patch.replace(/^=+\n/, "").replaceAll(/^(---|\+\+\+) (.*?)\t?$/gm, "$1 $2");
}

/** Undefined for bytes that are no text. */
function textOf(bytes: Uint8Array | undefined): string | undefined {
  const text = Buffer.from(bytes ?? []).toString("utf8");
  return text.includes("\0") || text.includes("\uFFFD") ? undefined : text;
}
