import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

import { withoutRunner } from "../../src/apply/install.ts";
import { entryNamed } from "../../src/catalog/manifest.ts";
import { templates } from "../support/templates.ts";
import { installTool } from "../support/tools.ts";

const ROOT = join(import.meta.dirname, "../..");
const CLI = join(ROOT, "bin/create-fetch-service.js");
const CREATE = "create-fetch-service";
const NAME = "demo-service";

/** A package manager as a person has it on the machine, and what a service of it is like. */
interface Subject {
  title: string;
  /** What the service is made for, as the manifest calls it. */
  answer: string;
  /** Its package in the registry; none for the npm that runs the tests. */
  tool?: { name: string; version: string };
  /** Runs the packed CLI without installing it, as `npx create-fetch-service` does the published one. */
  runner: string;
  /** Runs a script of the service, where the service's own package manager does not. */
  script?: string;
  /** What of its own a service has in git. */
  files: string[];
  /** How a service asks for another package of its workspace, where there are workspaces. */
  workspaceRange?: string;
}

const TARBALL = "$TARBALL";
const NPM_EXEC = `npm exec --yes --package ${TARBALL} -- ${CREATE}`;

const pnpm = (version: string): Subject => ({
  title: `pnpm ${version.replace(/\..*/, "")}`,
  answer: "pnpm",
  tool: { name: "pnpm", version },
  runner: `pnpm dlx ${TARBALL}`,
  files: ["pnpm-lock.yaml", "pnpm-workspace.yaml"],
  workspaceRange: "workspace:*",
});

// pnpm 11 has the settings and the store of pnpm 12. Two at a time fill their caches, so neighbours are different ones.
const SUBJECTS: Subject[] = [
  {
    title: "Yarn 1",
    answer: "yarn",
    tool: { name: "yarn", version: versionOf("yarn") },
    // It runs no package that is not installed.
    runner: `${NPM_EXEC} --package-manager yarn`,
    files: [".yarnrc.yml", "yarn.lock"],
  },
  pnpm("9.15.9"),
  pnpm("10.34.9"),
  {
    title: "Yarn 4",
    answer: "yarn4",
    tool: { name: "@yarnpkg/cli-dist", version: versionOf("yarn4") },
    runner: `yarn dlx --quiet --package ${CREATE}@file:${TARBALL} ${CREATE}`,
    files: [".yarnrc.yml", "yarn.lock"],
    workspaceRange: "workspace:*",
  },
  pnpm(versionOf("pnpm")),
  {
    title: "bun",
    answer: "npm",
    tool: { name: "bun", version: "1.4.5" },
    runner: `bunx --package file:${TARBALL} ${CREATE}`,
    script: "bun run",
    files: ["package-lock.json"],
  },
];

/** Those that have workspaces. npm alone is what makes and verifies a service in .ci/run. */
const WITH_WORKSPACES: Subject[] = [
  ...SUBJECTS.filter(({ workspaceRange }) => workspaceRange),
  {
    title: "npm",
    answer: "npm",
    runner: NPM_EXEC,
    files: ["package-lock.json"],
    workspaceRange: "*",
  },
];

/** The version that a service's own container and CI install. */
function versionOf(name: string): string {
  return /@([\d.]+)$/.exec(managerOf(name).setup)?.[1] ?? "";
}

function managerOf(name: string) {
  return entryNamed(templates.manifest.packageManagers, name);
}

let home: string;
let tarball: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "package-managers-"));
  await execa("npm", ["pack", "--silent", "--pack-destination", home], { cwd: ROOT });
  tarball = join(home, (await readdir(home))[0] ?? "");
});

afterAll(() => rm(home, { recursive: true, force: true }));

/** Runs what a person types, or a CI. @returns its output. */
type Shell = (command: string, cwd: string, env?: Record<string, string>) => Promise<string>;

const AS_CI = { CI: "true" };

/** The terminal of a person who has this package manager, outside all that runs the tests. */
async function terminalOf({ title, tool }: Subject): Promise<Shell> {
  const command = tool?.name.replace("@yarnpkg/cli-dist", "yarn");
  const program = tool && command && (await installTool(tool.name, tool.version, command));
  const { stdout: registry } = await execa("npm", ["config", "get", "registry"]);
  const { stdout: authorities } = await execa("npm", ["config", "get", "cafile"]);
  const environment = {
    ...withoutRunner(process.env),
    PATH: [...(program ? [dirname(program)] : []), process.env["PATH"]].join(delimiter),
    TARBALL: tarball,
    CI: "false",
    NO_COLOR: "1",
    GIT_AUTHOR_NAME: "test",
    GIT_AUTHOR_EMAIL: "test@example.com",
    GIT_COMMITTER_NAME: "test",
    GIT_COMMITTER_EMAIL: "test@example.com",
    // Yarn 4 alone does not read npm's settings.
    YARN_NPM_REGISTRY_SERVER: registry,
    YARN_UNSAFE_HTTP_WHITELIST: new URL(registry).hostname,
    ...(authorities !== "null" && { YARN_HTTPS_CA_FILE_PATH: authorities }),
  };
  return async (line, cwd, env) => {
    const options = { cwd, env: { ...environment, ...env }, shell: true, all: true } as const;
    const { failed, all } = await execa(line, { ...options, reject: false });
    if (failed) throw new Error(`${title}: "${line}" failed:\n${all}`);
    return all;
  };
}

const sameTerminals = new Map<string, Promise<Shell>>();

/** One terminal for each, so that no tool is installed twice at once. */
function sitDown(subject: Subject): Promise<Shell> {
  const terminal = sameTerminals.get(subject.title) ?? terminalOf(subject);
  sameTerminals.set(subject.title, terminal);
  return terminal;
}

const RESULT_OF_INSTALL =
  /(?:^|\/)(?:package-lock\.json|pnpm-lock\.yaml|pnpm-workspace\.yaml|yarn\.lock|bun\.lockb?|\.yarnrc.*|\.yarn\/.*|\.pnp\..*|node_modules\/.*)$/;

/** The package managers' files that are in git or would be with the next commit. */
async function filesOfManagers(shell: Shell, folder: string): Promise<string[]> {
  const listed = await shell("git ls-files --cached --others --exclude-standard", folder);
  return listed.split("\n").filter((path) => RESULT_OF_INSTALL.test(path));
}

/** Of what CI runs: what depends on how the packages lie, less the build, which is the image's too. */
async function checksOf(workflow: string): Promise<string[]> {
  const { jobs } = parse(await readFile(workflow, "utf8"));
  const lines = (jobs.test.steps as { run?: string }[]).flatMap(({ run }) => run ?? []);
  const checks = lines.filter((line) => / (?:format:check|typecheck|test)$/.test(line));
  expect(checks).toHaveLength(3);
  return checks;
}

/** Carries out what the Dockerfile's first stage does with the files that it copies, in an empty folder. */
async function buildAsImage(shell: Shell, service: string, image: string): Promise<void> {
  const [, stage = ""] = (await readFile(join(service, "Dockerfile"), "utf8")).split(/^FROM .*\n/m);
  await mkdir(image);
  for (const [, instruction, rest = ""] of stage.matchAll(/^(COPY|RUN) (.*)$/gm)) {
    if (instruction === "RUN") {
      if (!rest.startsWith("npm install --global")) await shell(rest, image, AS_CI);
      continue;
    }
    const [to = "", ...from] = rest.split(" ").toReversed();
    for (const path of from) {
      await cp(join(service, path), join(image, from.length > 1 ? join(to, path) : path), {
        recursive: true,
      });
    }
  }
}

describe.concurrent("a service made with", () => {
  it.each(SUBJECTS)("$title is installed, checked, tested and built", async (subject) => {
    const shell = await sitDown(subject);
    const folder = join(home, subject.title.replace(" ", "-"));
    const service = join(folder, NAME);
    await mkdir(folder);
    const said = await shell(`${subject.runner} ${NAME} --yes`, folder);
    expect(said).toContain(`✓ Installing with ${managerOf(subject.answer).install}`);
    expect(await filesOfManagers(shell, service)).toEqual(subject.files);

    // Of npm, test/container builds the image itself.
    if (subject.script) await shell(`${subject.script} build`, service);
    else await buildAsImage(shell, service, join(folder, "image"));
    const { run } = managerOf(subject.answer);
    for (const line of await checksOf(join(service, ".github/workflows/ci.yml"))) {
      await shell(line.replace(run, subject.script ?? run), service, AS_CI);
    }

    // Nothing that was run has left something that git, or the next command, takes for a change.
    expect(await shell("git status --porcelain", service)).toBe("");
    await shell(`node ${CLI} status --check`, service);
    expect(await shell(`node ${CLI} update --dry-run`, service)).toMatch(/nothing/i);
  });
});

describe.concurrent("a service in a workspace of", () => {
  it.each(WITH_WORKSPACES)("$title belongs to it", async (subject) => {
    const shell = await sitDown(subject);
    const root = join(home, `${subject.title.replace(" ", "-")}-workspace`);
    const services = join(root, "services");
    const service = join(services, NAME);
    await makeWorkspace(subject, root);
    await shell("git init --quiet", root);
    const said = await shell(`${subject.runner} ${NAME} --yes --no-install`, services);
    for (const [, file = "", setting = ""] of said.matchAll(/ add to \.\.\/\.\.\/(\S+): (.*)/g)) {
      await appendFile(join(root, file), `${setting}\n`);
    }
    await shell(`node ${CLI} status --check`, service);

    const manifest = join(service, "package.json");
    const text = await readFile(manifest, "utf8");
    const dependency = `    "@team/money": "${subject.workspaceRange ?? ""}"`;
    await writeFile(manifest, text.replace(/^ *"fastify"/m, `${dependency},\n$&`));
    await shell(managerOf(subject.answer).install, service);
    const cents = `import("@team/money").then(({ cents }) => console.log(cents))`;
    expect(await shell(`node -e '${cents}'`, service)).toBe("100");
    expect(await filesOfManagers(shell, root)).toEqual(subject.files);

    const workflows = join(service, "for-the-repository/.github/workflows");
    await shell(managerOf(subject.answer).ci, service, AS_CI);
    for (const line of await checksOf(join(workflows, `${NAME}-ci.yml`))) {
      await shell(line, service, AS_CI);
    }
    expect(await filesOfManagers(shell, root)).toEqual(subject.files);
  });
});

function writeJson(path: string, value: object): Promise<void> {
  return writeFile(path, JSON.stringify(value));
}

/** A repository of a team that has a package already. */
async function makeWorkspace({ answer }: Subject, root: string): Promise<void> {
  const packages = ["services/*", "libs/*"];
  const money = join(root, "libs/money");
  await mkdir(join(root, "services"), { recursive: true });
  await mkdir(money, { recursive: true });
  await writeJson(join(root, "package.json"), {
    name: "team",
    private: true,
    ...(answer !== "pnpm" && { workspaces: packages }),
  });
  const yaml = `packages:\n${packages.map((one) => `  - ${one}\n`).join("")}`;
  if (answer === "pnpm") await writeFile(join(root, "pnpm-workspace.yaml"), yaml);
  await writeFile(join(root, ".gitignore"), "node_modules/\n.yarn/\n");
  await writeJson(join(money, "package.json"), {
    name: "@team/money",
    version: "1.0.0",
    type: "module",
    exports: "./index.js",
  });
  await writeFile(join(money, "index.js"), "export const cents = 100;\n");
}
