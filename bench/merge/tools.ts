import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";

import { renderedTree, writeTree } from "./trees.ts";

const HERE = import.meta.dirname;
export const WORK = join(HERE, ".work");

/** How one of the two adds an integration to a service that it made. */
export interface Tool {
  name: string;
  create(folder: string): Promise<void>;
  add(folder: string): Promise<Run>;
}

export interface Run {
  exitCode: number | undefined;
  /** Seconds of the whole process tree. */
  cpu: number;
  output: string;
}

/** The bundle, as it is published. */
export async function thisTool(integration: string): Promise<Tool> {
  const root = join(HERE, "../..");
  await execa("npm", ["run", "--silent", "build"], { cwd: root });
  const installed = join(WORK, "installed");
  for (const part of ["bin", "dist", "package.json"]) {
    cpSync(join(root, part), join(installed, part), { recursive: true });
  }
  const cli = join(installed, "bin/create-fetch-service.js");
  const flags = ["--yes", "--no-install", "--no-git", "--package-manager", "npm"];
  return {
    name: "create-fetch-service",
    create: async (folder) => {
      await timed(WORK, [process.execPath, cli, "demo-service", ...flags, "--directory", folder]);
    },
    add: (folder) =>
      timed(folder, [process.execPath, cli, "add-integration", integration, "--no-install"]),
  };
}

/** Copier with the same files: it takes a folder of the template by an answer, as its manual shows. */
export async function copier(integration: string): Promise<Tool> {
  const program = await installCopier();
  const template = join(WORK, "template");
  rmSync(template, { recursive: true, force: true });
  for (const name of ["none", integration]) {
    writeTree(join(template, name), renderedTree(name === "none" ? [] : [name]));
    writeFileSync(
      join(template, name, "{{ _copier_conf.answers_file }}.jinja"),
      "{{ _copier_answers|to_nice_yaml }}",
    );
  }
  writeFileSync(
    join(template, "copier.yml"),
    `integration:\n  type: str\n  default: none\n_subdirectory: "{{ integration }}"\n`,
  );
  await commitAll(template);
  await execa("git", ["tag", "v1.0.0"], { cwd: template });
  return {
    name: "copier",
    create: async (folder) => {
      await timed(WORK, [program, "copy", "--defaults", "--quiet", template, folder]);
      await commitAll(folder);
    },
    add: (folder) =>
      timed(folder, [program, "update", "--defaults", "--data", `integration=${integration}`]),
  };
}

async function installCopier(): Promise<string> {
  const program = join(WORK, "venv/bin/copier");
  if (!existsSync(program)) {
    await execa("python3", ["-m", "venv", join(WORK, "venv")]);
    const list = join(HERE, "requirements.txt");
    await execa(join(WORK, "venv/bin/pip"), ["install", "--quiet", "--requirement", list]);
  }
  return program;
}

/** Makes everything in a folder a commit. */
export async function commitAll(folder: string): Promise<void> {
  const identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"];
  if (!existsSync(join(folder, ".git"))) {
    await execa("git", ["init", "--quiet", "--initial-branch=main"], { cwd: folder });
  }
  await execa("git", ["add", "--all"], { cwd: folder });
  await execa("git", [...identity, "commit", "--quiet", "--allow-empty", "--message", "work"], {
    cwd: folder,
  });
}

/** Runs a command and measures it with the shell's own clock. */
async function timed(cwd: string, command: string[]): Promise<Run> {
  mkdirSync(cwd, { recursive: true });
  const script = `TIMEFORMAT='cpu %U %S'; time "$@"`;
  const { exitCode, all } = await execa("bash", ["-c", script, "bash", ...command], {
    cwd,
    all: true,
    reject: false,
    stdin: "ignore",
  });
  const [, user = "0", system = "0"] = /cpu ([\d.]+) ([\d.]+)\s*$/.exec(all) ?? [];
  return { exitCode, cpu: Number(user) + Number(system), output: all };
}
