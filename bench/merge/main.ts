import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { type Edit, editsOf, lostOf, withEdits } from "./edits.ts";
import { commitAll, copier, thisTool, type Tool } from "./tools.ts";
import { brokenIn, conflictsIn, readTree, renderedTree } from "./trees.ts";

// The same template, the same edits and the same add, by us and by copier.
const INTEGRATION = "kafka";
const SERVICES = 12;
const EDITS_PER_SERVICE = 12;

// This checkout's own, in which the template's formatter is.
const PACKAGES = join(import.meta.dirname, "../../node_modules");

const plain = renderedTree([]);

// Outside the checkout, or git would take that for the services' repository.
const services = mkdtempSync(join(tmpdir(), "bench-merge-"));

async function editedService(tool: Tool, index: number, edits: Edit[]): Promise<string> {
  const folder = join(services, `${tool.name}-${index}`);
  await tool.create(folder);
  for (const path of new Set(edits.map((edit) => edit.path))) {
    writeFileSync(join(folder, path), withEdits(plain, path, edits));
  }
  return folder;
}

// Nothing of it is as the template has it.
const TEAM_STYLE = { useTabs: true, singleQuote: true, semi: false, printWidth: 80 };

/** Formats a service as a team would that has its own idea of style. */
async function reformat(folder: string): Promise<void> {
  writeFileSync(join(folder, ".oxfmtrc.json"), JSON.stringify(TEAM_STYLE));
  symlinkSync(PACKAGES, join(folder, "node_modules"));
  await execa(join(PACKAGES, ".bin/oxfmt"), { cwd: folder });
}

interface Figures {
  conflicts: number;
  broken: number;
  lost: number;
  cpu: number[];
  exitCodes: Set<number | undefined>;
}

async function measure(tool: Tool, isReformatted: boolean): Promise<Figures> {
  const figures: Figures = { conflicts: 0, broken: 0, lost: 0, cpu: [], exitCodes: new Set() };
  for (let index = 0; index < SERVICES; index += 1) {
    const edits = editsOf(plain, index + 1, EDITS_PER_SERVICE);
    const folder = await editedService(tool, index + (isReformatted ? SERVICES : 0), edits);
    if (isReformatted) await reformat(folder);
    await commitAll(folder);
    const { exitCode, cpu } = await tool.add(folder);
    const files = readTree(folder);
    const conflicts = conflictsIn(files);
    figures.conflicts += conflicts;
    figures.broken += brokenIn(files);
    figures.lost += lostOf(files, edits);
    figures.cpu.push(cpu);
    if (conflicts > 0) figures.exitCodes.add(exitCode);
  }
  return figures;
}

/** What a tool does with a service that it may find: not committed, or in no repository at all. */
async function surroundings(tool: Tool): Promise<{ dirty: string; noGit: string }> {
  const edits = editsOf(plain, 1, 1);
  const outcome = async (folder: string) => {
    const { exitCode } = await tool.add(folder);
    return exitCode === 0 && existsSync(join(folder, "src/integrations", INTEGRATION))
      ? "works"
      : `refused (exit ${exitCode})`;
  };
  const dirty = await editedService(tool, 100, edits);
  const noGit = await editedService(tool, 101, edits);
  rmSync(join(noGit, ".git"), { recursive: true, force: true });
  return { dirty: await outcome(dirty), noGit: await outcome(noGit) };
}

/** Whether an add to an untouched service gives what a create with it gives. */
async function isExact(tool: Tool): Promise<boolean> {
  const folder = await editedService(tool, 102, []);
  await commitAll(folder);
  await tool.add(folder);
  const wanted = renderedTree([INTEGRATION]);
  const files = readTree(folder);
  return (
    files.size === wanted.size &&
    [...wanted].every(([path, { bytes }]) => files.get(path) === Buffer.from(bytes).toString())
  );
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const columns = [await thisTool(INTEGRATION), await copier(INTEGRATION)];
const rows: Record<string, string[]> = {};
for (const tool of columns) {
  const figures = await measure(tool, false);
  const reformatted = await measure(tool, true);
  const { dirty, noGit } = await surroundings(tool);
  const cells: Record<string, string> = {
    "add = create with it": (await isExact(tool)) ? "byte for byte" : "differs",
    "conflicts to decide": String(figures.conflicts),
    "JSON and YAML files broken": String(figures.broken),
    "team's lines lost": String(figures.lost),
    "exit code with conflicts": [...figures.exitCodes].join(", ") || "none had any",
    "uncommitted changes": dirty,
    "no repository": noGit,
    "CPU of an add, median": `${median(figures.cpu).toFixed(2)} s`,
    "conflicts, reformatted": String(reformatted.conflicts),
    "files broken, reformatted": String(reformatted.broken),
    "lines lost, reformatted": String(reformatted.lost),
    "CPU, reformatted": `${median(reformatted.cpu).toFixed(2)} s`,
  };
  for (const [title, cell] of Object.entries(cells)) {
    rows[title] = [...(rows[title] ?? []), cell];
  }
}
console.log(
  `add ${INTEGRATION} to ${SERVICES} services with ${EDITS_PER_SERVICE} lines of a team's each\n`,
);
const line = (cells: string[]) => `| ${cells.map((cell) => cell.padEnd(28)).join(" | ")} |`;
console.log(line(["", ...columns.map(({ name }) => name)]));
console.log(line(["---", "---", "---"]));
Object.entries(rows).forEach(([title, cells]) => console.log(line([title, ...cells])));
rmSync(services, { recursive: true });
