import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const module = join(import.meta.dirname, "../../src/platform/command.ts");

/** Runs a command of which `body` is the code. */
function run(body: string, ...args: string[]): { status: number | null; out: string; err: string } {
  const code = `
    import { print, runCommand, UsageError } from ${JSON.stringify(module)};
    await runCommand("how to use it\\n", { loud: { type: "boolean" } }, async ({ positionals, values }) => { ${body} });
  `;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", code, "--", ...args],
    { encoding: "utf8" },
  );
  return { status, out: stdout, err: stderr };
}

test("a command gets its arguments, and its exit code is 0", () => {
  expect(run("print(positionals.join() + values.loud)", "a", "b", "--loud")).toEqual({
    status: 0,
    out: "a,btrue\n",
    err: "",
  });
});

test("--help says how to use it and runs nothing", () => {
  expect(run("print('ran')", "--help")).toEqual({ status: 0, out: "how to use it\n", err: "" });
});

test("a failure is one line with what is below it, and exit code 1", () => {
  const body = `throw new Error("it failed.", { cause: new AggregateError([new Error("no route")], "down") })`;
  expect(run(body)).toEqual({ status: 1, out: "", err: "error: it failed: down: no route\n" });
});

test.each([
  ["an option that there is not", "", ["--quiet"]],
  ["what the command refuses", 'throw new UsageError("no")', []],
])("%s is answered with the help, and exit code 2", (_name, body, args) => {
  const { status, err } = run(body, ...args);
  expect(status).toBe(2);
  expect(err).toMatch(/^error: .+\n\nhow to use it\n$/);
});

test("nothing that is printed steers a terminal", () => {
  const body = String.raw`print("one\ntwo \u001b[2J\u009b1m\u202e"); throw new Error("no\n\u001b]0;");`;
  expect(run(body)).toEqual({
    status: 1,
    out: String.raw`one` + "\n" + String.raw`two \u001b[2J\u009b1m\u202e` + "\n",
    err: String.raw`error: no\u000a\u001b]0;` + "\n",
  });
});
