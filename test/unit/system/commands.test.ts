import { tmpdir } from "node:os";

import { describe, expect, it } from "vitest";

import { commands } from "../../../src/system/commands.ts";

const cwd = tmpdir();
const node = (script: string): [string, string[]] => [process.execPath, ["-e", script]];

describe("a program that runs to its end", () => {
  it("gives both its outputs, and its lines as they come", async () => {
    const lines: string[] = [];
    const script = `console.log("one"); console.error("two"); process.stdout.write("three\\r\\nfo");
      setTimeout(() => { process.stdout.write("ur\\n"); process.stdout.write("five"); }, 50);`;
    const result = await commands.run(...node(script), {
      cwd,
      onLine: (line) => lines.push(line),
    });
    expect(result).toMatchObject({ exitCode: 0, signal: undefined, found: true });
    expect(lines.toSorted()).toEqual(["five", "four", "one", "three", "two"]);
    for (const line of lines) {
      expect(result.output).toContain(line);
    }
  });

  it("is given no input, the environment and what is added to it", async () => {
    const script = `process.stdin.on("data", () => {}).on("end", () =>
      console.log(process.env.PATH !== undefined, process.env.ADDED, process.cwd()))`;
    const result = await commands.run(...node(script), { cwd, env: { ADDED: "yes" } });
    expect(result.output).toBe(`true yes ${cwd}`);
  });

  it("is not given what is taken out of the environment", async () => {
    process.env["TAKEN_OUT"] = "no";
    const script = "console.log(process.env.TAKEN_OUT)";
    const env = { TAKEN_OUT: undefined };
    const result = await commands.run(...node(script), { cwd, env });
    delete process.env["TAKEN_OUT"];
    expect(result.output).toBe("undefined");
  });

  it("may fail", async () => {
    const result = await commands.run(...node('console.log("why"); process.exit(7)'), { cwd });
    expect(result).toEqual({ exitCode: 7, signal: undefined, found: true, output: "why" });
  });

  it("keeps its arguments, whatever is in them", async () => {
    const args = ["a b", "$HOME", "`id`", "'\"", "*", "; exit 1"];
    const script = "console.log(JSON.stringify(process.argv.slice(1)))";
    const result = await commands.run(process.execPath, ["-e", script, "--", ...args], { cwd });
    expect(JSON.parse(result.output)).toEqual(args);
  });
});

it("says that a program is not there", async () => {
  const result = await commands.run("no-such-program-anywhere", [], { cwd });
  expect(result).toEqual({ exitCode: undefined, found: false, output: "" });
});

describe("a program that goes on", () => {
  const forEver = 'console.log("up"); setInterval(() => {}, 1000)';

  it("ends by the signal that it is sent", async () => {
    const running = commands.start(...node(forEver), {
      cwd,
      onLine: () => running.stop("SIGINT"),
    });
    expect(await running.ended).toMatchObject({ exitCode: undefined, signal: "SIGINT" });
  });

  it("ends when it is aborted, also before it has begun", async () => {
    const controller = new AbortController();
    const onLine = (): void => controller.abort();
    const first = await commands.run(...node(forEver), { cwd, signal: controller.signal, onLine });
    const second = await commands.run(...node(forEver), { cwd, signal: controller.signal });
    expect([first.signal, second.signal]).toEqual(["SIGTERM", "SIGTERM"]);
  });
});

it("a service that drains is not killed while it does", async () => {
  const drains = `process.on("SIGTERM", () => setTimeout(() => process.exit(3), 5_500));
    console.log("up"); setInterval(() => {}, 1000)`;
  const running = commands.start(...node(drains), {
    cwd,
    onLine: () => running.stop("SIGTERM"),
  });
  expect(await running.ended).toMatchObject({ exitCode: 3, signal: undefined });
});

describe("captured output", () => {
  it("is bytes, with the last line's end", async () => {
    const script = "process.stdout.write(Buffer.from([0, 255, 10])); console.error('noise')";
    const bytes = await commands.capture(...node(script), { cwd });
    expect([...(bytes ?? [])]).toEqual([0, 255, 10]);
  });

  it("is none of a program that fails or is not there", async () => {
    expect(await commands.capture(...node("process.exit(1)"), { cwd })).toBeUndefined();
    expect(await commands.capture("no-such-program-anywhere", [], { cwd })).toBeUndefined();
  });
});
