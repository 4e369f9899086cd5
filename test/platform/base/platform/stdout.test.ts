import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { openOutput } from "../../src/platform/logging.ts";

const LINES = 3_000;
const module = new URL("../../src/platform/logging.ts", import.meta.url).href;
const program = `
  const { stdout } = await import(${JSON.stringify(module)});
  const [name, blocking] = process.argv.slice(1);
  // Node's own stream, once it is asked for, makes a pipe non-blocking for all who have it.
  if (blocking !== "blocking") process.stdout;
  process.stderr.write("started");
  let lines = "";
  for (let index = 0; index < ${LINES}; index += 1) {
    lines += JSON.stringify([name, index, "é".repeat(index % 300)]) + "\\n";
    if (lines.length > 60_000 || index === ${LINES - 1}) {
      stdout.write(lines);
      lines = "";
    }
  }
`;

/** What arrives at the end of a pipe that two processes write to, faster than it is read. */
async function throughPipe(mode: string): Promise<string> {
  const script = `(for name in a b; do "$NODE" --input-type=module -e "$PROGRAM" $name ${mode} & done; wait) | cat`;
  const child = spawn("sh", ["-c", script], {
    env: { ...process.env, NODE: process.execPath, PROGRAM: program },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  const { promise: bothStarted, resolve } = Promise.withResolvers<void>();
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
    if (said === "started".repeat(2)) resolve();
  });
  await bothStarted;
  let text = "";
  child.stdout.setEncoding("utf8");
  for await (const chunk of child.stdout) {
    text += String(chunk);
    await delay(1);
  }
  await ended;
  return text;
}

test.each(["blocking", "non-blocking"])(
  "two processes write whole lines to a %s pipe with a slow reader",
  async (mode) => {
    const lines = (await throughPipe(mode)).trimEnd().split("\n");
    const torn = lines.filter((line) => !/^\["[ab]",\d+,"é*"\]$/.test(line));
    expect(torn).toEqual([]);
    for (const name of ["a", "b"]) {
      const own = lines.map((line) => JSON.parse(line)).filter(([writer]) => writer === name);
      expect(own.map(([, index]) => index)).toEqual(Array.from({ length: LINES }, (_, i) => i));
    }
  },
);

test("a file gets all of it, and what can no longer be written is dropped", () => {
  const folder = mkdtempSync(join(tmpdir(), "stdout-"));
  const file = join(folder, "log");
  const fd = openSync(file, "a");
  const output = openOutput(fd);
  const lines = `${"x".repeat(10_000)}\n`.repeat(20);
  output.write(lines);
  closeSync(fd);
  expect(() => output.write("one more\n")).not.toThrow();
  expect(readFileSync(file, "utf8")).toBe(lines);
  rmSync(folder, { recursive: true });
});
