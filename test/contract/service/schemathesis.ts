import { existsSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";
import { expect, type TestContext } from "vitest";

import type { Launch } from "../../../src/verify/target.ts";
import { CACHE } from "./build.ts";
import { PROBES_SWITCH } from "./probes.ts";

const VERSION = "4.32.5";
const SEED = 20_261_124;
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
];

/**
 * Lets schemathesis make requests from the service's own openapi.json: no 5xx, nothing undocumented, nothing that
 * breaks its schema. Skipped where there is no Python, except in CI.
 */
export async function fuzz(launch: Launch, context: TestContext): Promise<void> {
  const program = await install();
  if (program === undefined) {
    if (process.env["CI"]) throw new Error("python3 is missing, and CI must not do without it");
    context.skip("python3 is missing: the service was not fuzzed");
  }
  const instance = await launch({ workers: 2, environment: { [PROBES_SWITCH]: "0" } });
  try {
    const { all, exitCode } = await execa(
      program,
      [
        ...["run", `${instance.url}/openapi.json`],
        ...["--checks", CHECKS.join(",")],
        ...["--seed", String(SEED), "--max-examples", "100"],
        ...["--generation-database", "none"],
        ...["--suppress-health-check", "all", "--no-color"],
      ],
      { all: true, reject: false, cwd: CACHE, env: { PYTHONHASHSEED: "0" } },
    );
    process.stdout.write(`${summaryOf(all)}\n`);
    expect(exitCode, all).toBe(0);
  } finally {
    await instance.stop();
  }
}

/** @returns the program's path, or undefined without a Python. */
async function install(): Promise<string | undefined> {
  const python = await execa("python3", ["--version"], { reject: false });
  if (python.failed) return undefined;
  const venv = join(CACHE, `schemathesis-${VERSION}`);
  const program = join(venv, "bin/st");
  if (!existsSync(program)) {
    await execa("python3", ["-m", "venv", "--clear", venv]);
    await execa(join(venv, "bin/pip"), ["install", "--quiet", `schemathesis==${VERSION}`]);
  }
  return program;
}

function summaryOf(output: string): string {
  const start = output.lastIndexOf("SUMMARY");
  return start === -1 ? output : output.slice(output.lastIndexOf("\n", start) + 1);
}
