import { createHash } from "node:crypto";

import { format, type FormatConfig } from "oxfmt";

import { baseOf } from "../../src/plan/base.ts";
import type { DiskFile, DiskTree, Plan } from "../../src/plan/plan.ts";
import { readState, recordedAnswers } from "../../src/plan/read-state.ts";
import { render } from "../../src/plan/render.ts";
import { STATE_FILE } from "../../src/plan/state.ts";
import { filesToFormat, inTeamStyle } from "../../src/plan/team-style.ts";
import { changed, type Service } from "./service.ts";

/** What teams set up otherwise than the template. */
export const STYLES: Readonly<Record<string, FormatConfig>> = {
  tabs: { useTabs: true },
  "single quotes": { singleQuote: true, printWidth: 100 },
  "no semicolons": { semi: false, printWidth: 100 },
  "4 spaces": { tabWidth: 4, printWidth: 100 },
  "80 columns": { printWidth: 80 },
};

const FORMATTED = /\.(?:[cm]?[jt]s|json|ya?ml|md)$/;

// The same files come in many services.
const known = new Map<string, Promise<Uint8Array>>();

function formatFile(style: string, path: string, bytes: Uint8Array): Promise<Uint8Array> {
  if (!FORMATTED.test(path)) {
    return Promise.resolve(bytes);
  }
  const key = [style, path, createHash("sha1").update(bytes).digest("hex")].join(" ");
  const found = known.get(key);
  const made = found ?? formatText(style, path, Buffer.from(bytes).toString("utf8"));
  known.set(key, made);
  return made;
}

async function formatText(style: string, path: string, text: string): Promise<Uint8Array> {
  const { code, errors } = await format(path, text, STYLES[style]);
  return Buffer.from(errors.length > 0 ? text : code);
}

async function formatAll(
  style: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Map<string, Uint8Array>> {
  const entries = [...files].map(
    async ([path, bytes]) => [path, await formatFile(style, path, bytes)] as const,
  );
  return new Map(await Promise.all(entries));
}

/** A tree as the team's formatter leaves it. */
export async function formattedTree(
  style: string,
  files: DiskTree,
): Promise<Map<string, DiskFile>> {
  const texts = await formatAll(
    style,
    new Map([...files].map(([path, { bytes }]) => [path, bytes])),
  );
  return new Map(
    [...files].map(([path, file]) => [path, { ...file, bytes: texts.get(path) ?? file.bytes }]),
  );
}

/** A service as the team's formatter leaves it. */
export async function formatted(style: string, service: Service): Promise<Service> {
  return { ...service, files: await formattedTree(style, service.files) };
}

/** Changes a service as the commands do where the team's formatter is installed. */
export async function changedInStyle(
  style: string,
  service: Service,
  wish: Parameters<typeof changed>[1],
): Promise<{ service: Service; plan: Plan; files: number }> {
  const { files: mine } = service;
  const state = readState(mine.get(STATE_FILE)?.bytes);
  const templates = wish.templates ?? service.templates;
  const answers = recordedAnswers(state, templates.manifest);
  const integrations = wish.integrations ?? answers.integrations;
  const theirs = render(templates, { ...answers, integrations });
  const once = render(service.templates, recordedAnswers(state, service.templates.manifest));
  const trees = { base: baseOf(state, [once, theirs, mine]).base, theirs, mine };
  const sides = filesToFormat(trees);
  const styled = inTeamStyle(trees, {
    base: await formatAll(style, sides.base),
    theirs: await formatAll(style, sides.theirs),
  });
  return { ...changed(service, wish, styled), files: sides.base.size + sides.theirs.size };
}
