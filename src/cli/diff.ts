import { createTwoFilesPatch } from "diff";

import { UserError } from "../errors.ts";
import type { Drift } from "../plan/drift.ts";
import type { ServiceCommand } from "./commands.ts";
import { openService } from "./open-service.ts";
import { type DriftReading, readDrift } from "./read-drift.ts";

/** Shows what a service has that its own answers' render has not, as `git diff` would. */
export const diff: ServiceCommand = async (host, report, options) => {
  const service = await openService(host, report, options.directory);
  const reading = await readDrift(host, service);
  const paths = options.names.map((path) => path.replace(/^\.\//, "").replace(/\/$/, ""));
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

function refuseUnknown({ once, mine }: DriftReading, path: string): void {
  const known = [...once.keys(), ...mine.keys()];
  if (!known.some((candidate) => isAmong(candidate, [path]))) {
    throw new UserError("USAGE", `${path} is no file of this service`, "paths start at its folder");
  }
}

function isAmong(path: string, wanted: readonly string[]): boolean {
  return wanted.some((one) => one === "." || path === one || path.startsWith(`${one}/`));
}

function patchOf({ once, mine }: DriftReading, { path, kind }: Drift): string {
  const [before, after] = [once.get(path)?.bytes, mine.get(path)?.bytes];
  if (kind === "mode") {
    return `--- template/${path}\n+++ ${path}\nthe mode differs\n`;
  }
  const [old, own] = [textOf(before), textOf(after)];
  if (old === undefined || own === undefined) {
    return `--- template/${path}\n+++ ${path}\nthe bytes differ\n`;
  }
  const to = after ? path : "/dev/null";
  const patch = createTwoFilesPatch(`template/${path}`, to, old, own, "", "");
  // The library's first line is one of equal signs, which git's has not.
  return patch.replace(/^=+\n/, "").replaceAll(/^(---|\+\+\+) (.*?)\t?$/gm, "$1 $2");
}

/** Undefined for bytes that are no text. */
function textOf(bytes: Uint8Array | undefined): string | undefined {
  const text = Buffer.from(bytes ?? []).toString("utf8");
  return text.includes("\0") || text.includes("\uFFFD") ? undefined : text;
}
