import { spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

const BIN = join(import.meta.dirname, "../../../bin/create-fetch-service.js");

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "process-"));
});

afterEach(() => rmSync(home, { recursive: true }));

/** Runs the real command with nobody at the terminal. */
function run(args: string[], input = "") {
  return spawnSync(process.execPath, [BIN, ...args], { cwd: home, encoding: "utf8", input });
}

describe("the process", () => {
  it("never waits for an answer that nobody can give", () => {
    const { status, stdout, stderr } = run([]);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: nothing can be asked here.*--port/);
    expect(readdirSync(home)).toEqual([]);
  });

  it("helps, with examples and exit codes", () => {
    const { status, stdout, stderr } = run(["--help"]);
    expect(status).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toContain("--package-manager <name>");
    expect(stdout).toContain("create-fetch-service my-service --yes");
    expect(stdout).toContain("130 interrupted");
  });

  it("helps by the word that others use for it, and makes no service of that name", () => {
    expect(run(["help"]).stdout).toBe(run(["--help"]).stdout);
    expect(run(["help", "accept"]).stdout).toBe(run(["accept", "--help"]).stdout);
    expect(run(["help", "nothing"])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^error: there is no such command\n/),
    });
  });

  it("makes a service from answers on its standard input", () => {
    const args = ["--answers", "-", "--yes", "--no-install", "--no-git", "--json"];
    const { status, stdout } = run(args, '{"name":"my-service"}');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ created: { directory: join(home, "my-service") } });
    expect(readdirSync(home)).toEqual(["my-service"]);
  });

  it.skipIf(!existsSync("/dev/full"))("fails when its output cannot be written", () => {
    const full = openSync("/dev/full", "w");
    for (const args of [["--help"], ["x1", "--yes", "--no-install", "--no-git", "--json"]]) {
      const { status, stderr } = spawnSync(process.execPath, [BIN, ...args], {
        cwd: home,
        encoding: "utf8",
        stdio: ["ignore", full, "pipe"],
      });
      expect([status, stderr]).toEqual([1, expect.stringContaining("cannot write the output")]);
    }
    closeSync(full);
  });

  it("prints no colour into a pipe", () => {
    const { stdout, stderr } = run(["x1", "--yes", "--no-install", "--no-git"]);
    // oxlint-disable-next-line no-control-regex
    expect(stdout + stderr).not.toMatch(/\u001B/);
  });

  it.each(["18.20.8", "20.20.2", "22.11.0", "23.0.0"])("refuses Node %s in one line", (version) => {
    const script = `
      Object.defineProperty(process, "versions", { value: { node: "${version}" } });
      require(${JSON.stringify(BIN)});`;
    const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: create-fetch-service needs Node .* this is Node [\d.]+\n$/);
  });
});
