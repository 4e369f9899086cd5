import { spawnSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { SERVICE_COMMANDS } from "../../../src/cli/program.ts";
import { runFake } from "../../support/fake-host.ts";
import { templates } from "../../support/templates.ts";

const names = templates.manifest.integrations.map(({ name }) => name);

async function scriptFor(shell: string): Promise<string> {
  const { code, out } = await runFake(["completion", shell]);
  expect(code).toBe(0);
  return out;
}

describe("completion", () => {
  it.each(["bash", "fish", "zsh"])(
    "knows every command, integration and flag in %s",
    async (shell) => {
      const script = await scriptFor(shell);
      for (const { name, options } of SERVICE_COMMANDS) {
        expect(script).toContain(name);
        for (const [flags] of options) {
          expect(script).toContain(/--([\w-]+)/.exec(flags)?.[1]);
        }
      }
      names.forEach((name) => expect(script).toMatch(new RegExp(`\\b${name}\\b`)));
      expect(script).toContain("metrics-port");
    },
  );

  it.each([
    [["ad"], ["add-integration", "adopt"]],
    [["--met"], ["--metrics-port"]],
    [["add-integration", ""], names],
    [["status", "--ch"], ["--check"]],
  ])("completes %j in a real bash", async (words, expected) => {
    const program = `${await scriptFor("bash")}
      COMP_WORDS=(create-fetch-service ${words.map((word) => `"${word}"`).join(" ")})
      COMP_CWORD=${words.length}
      _create_fetch_service
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = spawnSync("bash", ["-c", program], { encoding: "utf8" });
    expect(stdout.trim().split("\n")).toEqual(expect.arrayContaining(expected));
  });

  it("refuses a shell that it does not know", async () => {
    const { code, err } = await runFake(["completion", "fisch"]);
    expect(code).toBe(2);
    expect(err).toContain("did you mean fish?");
  });
});
