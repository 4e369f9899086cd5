import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// A run's CPU time depends on the machine; its ratio to an empty Node's hardly does. The two take
// turns, so that whatever else the machine is doing meets both alike.
const ROUNDS = 31;

// In memory where that is possible: on a busy disk the kernel's own work would be measured.
const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const folder = mkdtempSync(join(place, "create-fetch-service-bench-"));
// Outside the checkout, as it is installed: in the checkout the sources would run.
for (const part of ["bin", "dist", "package.json"]) {
  cpSync(join(import.meta.dirname, "..", part), join(folder, "installed", part), {
    recursive: true,
  });
}
const cli = join(folder, "installed/bin/create-fetch-service.js");
const meter = join(folder, "meter.cjs");
writeFileSync(
  meter,
  `process.on("exit", () => {
    const { user, system } = process.cpuUsage();
    require("node:fs").writeSync(2, "cpu " + (user + system));
  });`,
);

const CASES = [
  { name: "--help", budget: 1.7, args: [cli, "--help"] },
  {
    name: "create, no install, no git",
    budget: 3,
    args: [cli, "made", "--yes", "--no-install", "--no-git"],
  },
];

/** The CPU time of one run of Node, in milliseconds. */
function cpuOf(args: readonly string[]): number {
  rmSync(join(folder, "made"), { recursive: true, force: true });
  const run = spawnSync(process.execPath, ["--require", meter, ...args], {
    cwd: folder,
    // Without the folders of npm: for them, it asks which Node the user's terminal has.
    env: { PATH: "/usr/bin:/bin" },
    encoding: "utf8",
  });
  const cpu = /cpu (\d+)$/.exec(run.stderr)?.[1];
  if (run.status !== 0 || cpu === undefined) {
    throw new Error(`node ${args.join(" ")} failed:\n${run.stderr}`);
  }
  return Number(cpu) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

for (const { name, budget, args } of CASES) {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const empty = cpuOf(["-e", "0"]);
    const measured = cpuOf(args);
    return { empty, measured, ratio: measured / empty };
  });
  const ratio = median(rounds.map((round) => round.ratio));
  const milliseconds = median(rounds.map((round) => round.measured));
  const within = ratio <= budget;
  console.log(
    `${name.padEnd(28)} ${ratio.toFixed(2)} × node -e 0 (budget ${budget}), ` +
      `${milliseconds.toFixed(0)} ms CPU: ${within ? "ok" : "OVER BUDGET"}`,
  );
  if (!within) {
    process.exitCode = 1;
  }
}
rmSync(folder, { recursive: true });
