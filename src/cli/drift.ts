import { createTwoFilesPatch } from "diff";
import semver from "semver";

import { visible } from "../answers/text.ts";
import { styleForTeam } from "../apply/team-style.ts";
import { changesBetween } from "../catalog/changelog.ts";
import { UserError } from "../errors.ts";
import { isAccepted } from "../plan/accepting.ts";
import { type Drift, driftOf } from "../plan/drift.ts";
import { plain, restyle } from "../plan/merge/three-way/encoding.ts";
import { type Move, movesOf } from "../plan/moves.ts";
import type { DiskTree } from "../plan/plan.ts";
import { withRemembered } from "../plan/remembered.ts";
import { rememberedOf, render } from "../plan/render.ts";
import type { Owner, Tree } from "../plan/tree.ts";
import type { ServiceCommand } from "./command.ts";
import type { Host } from "./host.ts";
import {
  areTemplatesLost,
  openService,
  readFiles,
  type Service,
  servicePath,
} from "./open-service.ts";

const DRIFTED = 4;

const KINDS: Record<Drift["kind"], string> = {
  edited: "edited",
  deleted: "deleted",
  moved: "moved",
  mode: "executable, or no longer",
  blocked: "not a regular file",
  conflict: "a conflict is still to be decided",
  beside: "the template's version, waiting next to yours",
};

/** Lists what differs between a service and its own answers. */
export const status: ServiceCommand = async (host, report, options) => {
  const service = await openService(host, report, options.directory);
  const { drifts, once, unknown } = await readDrift(host, service);
  const { version: latest } = await host.templates();
  const { templateVersion } = service.state;
  const outdated = semver.lt(templateVersion, latest);
  const yours = drifts.filter((drift) => drift.yours);
  const accepted = drifts.filter((drift) => !drift.yours && drift.accepted);
  const open = drifts.filter((drift) => !drift.yours && !drift.accepted);
  const exitCode = options.check && open.length > 0 ? DRIFTED : 0;
  if (report.json) {
    const { answers } = service;
    const changes = changesBetween(await host.changelog(), templateVersion, latest);
    const behind = changes.map(({ version }) => version);
    report.document({
      status: { templateVersion, latest, outdated, behind, answers, drift: drifts },
    });
    return exitCode;
  }
  const { name, framework, integrations } = service.answers;
  report.line(`${name}: ${[framework, ...integrations].join(", ")}`);
  report.line(
    outdated
      ? `templates ${templateVersion}; ${latest} is available: create-fetch-service update`
      : `templates ${templateVersion}, the latest that this command knows`,
  );
  open.forEach((drift) => report.line(`  ${drift.path}: ${wordsFor(drift)}`));
  for (const drift of accepted) {
    const reason = drift.accepted?.reason === undefined ? "" : `: ${drift.accepted.reason}`;
    report.line(`  ${drift.path}: ${wordsFor(drift)}, accepted${reason}`);
  }
  report.line(
    `${open.length || "none"} of ${once.size + unknown.size} files differ from the template` +
      (accepted.length > 0 ? `, besides ${accepted.length} accepted` : "") +
      (yours.length > 0 ? `, and ${yours.length} of your own` : ""),
  );
  return exitCode;
};

function wordsFor({ kind, to }: Drift): string {
  return to === undefined ? KINDS[kind] : `${KINDS[kind]} to ${to}`;
}

/** Whether a team can want a difference of this kind; the others are unfinished business. */
export function isTeamDecision(kind: Drift["kind"]): boolean {
  return !["blocked", "conflict", "beside"].includes(kind);
}

/** Shows what a service has and its own answers' render has not, as `git diff` would. */
export const diff: ServiceCommand = async (host, report, options) => {
  const service = await openService(host, report, options.directory);
  const reading = await readDrift(host, service);
  const paths = options.names.map((typed) => servicePath(host, service, typed));
  paths.forEach((path) => refuseUnknown(reading, path));
  // The user's own files are not drift, but are shown to somebody who names them.
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

/** A service next to what its own answers render to. */
export interface DriftReading {
  /** What the template wrote, as far as that is known. */
  once: Tree;
  mine: DiskTree;
  drifts: Drift[];
  /** Files of the template whose original content is lost. */
  unknown: ReadonlyMap<string, Owner>;
}

/** Compares a service with its own answers' render. */
export async function readDrift(host: Host, service: Service): Promise<DriftReading> {
  const { state } = service;
  const reading = await compare(host, service);
  const drifts = withMoves(reading).map((drift) => {
    const accepted = isAccepted(state.accepted, reading.mine, drift.path)
      ? state.accepted.get(drift.path)
      : undefined;
    return isTeamDecision(drift.kind) && accepted ? { ...drift, accepted } : drift;
  });
  return { ...reading, drifts };
}

/** Files that are not gone, but have another name. */
function withMoves({ once, mine, drifts }: DriftReading): Drift[] {
  const gone = new Map(
    drifts.flatMap(({ path, kind }) => {
      const file = once.get(path);
      return kind === "deleted" && file ? [[path, file] as const] : [];
    }),
  );
  const fresh = new Map([...mine].filter(([path]) => !once.has(path)));
  const moves = gone.size > 0 ? movesOf(gone, fresh) : new Map<string, Move>();
  return drifts.map((drift) => {
    const move = moves.get(drift.path);
    return move?.certain ? { ...drift, kind: "moved", to: move.to } : drift;
  });
}

async function compare(host: Host, service: Service): Promise<DriftReading> {
  const { templates, answers, state } = service;
  const rendered = render(templates, answers);
  const reading = await readFiles(host, service, rendered);
  const { files: mine, obstacles } = reading;
  const lost = areTemplatesLost(service);
  // The recorded ids have to do where the templates are lost.
  const remembered = rememberedOf(templates, answers);
  const whole = withRemembered(rendered, remembered, reading.base);
  const trees = { base: lost ? reading.base : whole, theirs: new Map(), mine };
  // Without a word of progress, because `diff` prints a patch.
  const { base: once } = await styleForTeam(host, service.root, trees, (_, work) => work());
  const unknown = new Map(
    [...reading.unknown]
      .filter((path) => lost || remembered.has(path))
      .map((path) => [path, state.files.get(path)?.owner ?? "merged"]),
  );
  return { once, mine, drifts: driftOf(once, mine, obstacles, unknown), unknown };
}

function refuseUnknown({ once, mine, unknown }: DriftReading, path: string): void {
  const known = [...once.keys(), ...mine.keys(), ...unknown.keys()];
  if (!known.some((candidate) => isAmong(candidate, [path]))) {
    throw new UserError("USAGE", `this service has no file ${path}`, "paths start at its folder");
  }
}

export function isAmong(path: string, wanted: readonly string[]): boolean {
  return wanted.some((one) => one === "." || path === one || path.startsWith(`${one}/`));
}

function patchOf({ once, mine, unknown }: DriftReading, { path, kind }: Drift): string {
  const [before, after] = [once.get(path)?.bytes, mine.get(path)?.bytes];
  // A name is one line of the patch, whatever is in it.
  const name = visible(path);
  const to = after ? name : "/dev/null";
  const inWords = (words: string) => `--- template/${name}\n+++ ${to}\n${words}\n`;
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
  // Line ends do not count as a difference, so they are shown as the user has them.
  const written = after ? restyle(plain(old), old, own, old) : old;
  const patch = createTwoFilesPatch(`template/${name}`, to, written, own, "", "");
  // The library begins with a line of equal signs, which git does not print.
  return patch.replace(/^=+\n/, "").replaceAll(/^(---|\+\+\+) (.*?)\t?$/gm, "$1 $2");
}

/** Undefined for binary files. */
function textOf(bytes: Uint8Array | undefined): string | undefined {
  const text = Buffer.from(bytes ?? []).toString("utf8");
  return text.includes("\0") || text.includes("\uFFFD") ? undefined : text;
}
