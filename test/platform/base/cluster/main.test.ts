import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const main = join(import.meta.dirname, "../../src/main.ts");

/** Runs the service's own main, which must refuse to start. */
function refusal(
  flags: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...flags, main], { env }, (error, stdout, stderr) => {
      resolve({ code: error?.code, stdout, stderr });
    });
  });
}

it("lists what is wrong in the settings and in the cluster's configuration in one go", async () => {
  const { code, stdout } = await refusal([], { PORT: "eighty", WEB_CONCURRENCY: "0" });
  expect(code).toBe(3);
  const line = JSON.parse(stdout) as { level: string; problems: string[] };
  expect(line.level).toBe("fatal");
  expect(line.problems).toEqual([
    expect.stringMatching(/^PORT: /),
    expect.stringMatching(/^WEB_CONCURRENCY /),
  ]);
});

it("tells an old Node what is missing", async () => {
  const old = 'data:text/javascript,import net from "node:net"; delete net.BoundSocket;';
  const { code, stderr } = await refusal(["--import", old], {});
  expect(code).toBe(3);
  const { engines } = JSON.parse(
    readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"),
  ) as { engines: { node: string } };
  expect(engines.node).toBe(">=24.21.0 <25 || >=26.4.0");
  expect(stderr).toMatch(/^error: this service needs Node.js 26.4 or newer, or 24.21 or newer/);
});
