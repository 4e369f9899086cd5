import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { Readable } from "node:stream";

const ROOT = join(import.meta.dirname, "../..");

/** The published command, and a folder for its services. */
export class InstalledCli {
  readonly folder: string;
  readonly #bin: string;

  constructor() {
    execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT });
    this.folder = mkdtempSync(join(tmpdir(), "crash-"));
    // In a checkout the sources would run, which takes twice as long.
    for (const part of ["bin", "dist", "package.json"]) {
      cpSync(join(ROOT, part), join(this.folder, "cli", part), { recursive: true });
    }
    this.#bin = join(this.folder, "cli/bin/create-fetch-service.js");
  }

  /** Runs it to its end. */
  run(cwd: string, ...args: string[]): { code: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [this.#bin, ...args], {
      cwd,
      encoding: "utf8",
    });
    return { code: status, output: stdout + stderr };
  }

  start(cwd: string, ...args: string[]): ChildProcessByStdio<null, null, Readable> {
    const stdio = ["ignore", "ignore", "pipe"] as const;
    return spawn(process.execPath, [this.#bin, ...args], { cwd, stdio: [...stdio] });
  }

  /** Makes a service in a folder of that name, without its developer's `.env`, and returns its path. */
  create(name: string, integrations: string, cwd = this.folder): string {
    const flags = ["--yes", "--no-install", "--no-git", "--integrations", integrations];
    const { code, output } = this.run(cwd, "demo-service", ...flags, "--directory", name);
    if (code !== 0) {
      throw new Error(output);
    }
    const service = join(cwd, name);
    rmSync(join(service, ".env"), { force: true });
    return service;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** All files of a service with their modes and bytes, and its folders. */
export function snapshotOf(service: string): Map<string, string> {
  const entries = readdirSync(service, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !relative(service, path).startsWith(".fetch-service/"))
    .filter((path) => relative(service, path) !== ".fetch-service");
  return new Map(
    entries.sort().map((path) => {
      const stats = statSync(path);
      const content = stats.isFile() ? readFileSync(path, "base64") : "folder";
      return [relative(service, path), `${(stats.mode & 0o777).toString(8)} ${content}`];
    }),
  );
}
