import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { CTRL_C, ENTER, Terminal } from "../support/terminal.ts";
import { templates } from "../support/templates.ts";

const CLI = join(import.meta.dirname, "../../bin/create-fetch-service.js");
const [integration] = templates.manifest.integrations;

let home: string;
let service: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "interactive-"));
  service = join(home, "my-service");
  const args = [CLI, "my-service", "--yes", "--no-install", "--no-git"];
  spawnSync(process.execPath, args, { cwd: home });
});

afterEach(() => rmSync(home, { recursive: true }));

function integrations(): string[] {
  const state = JSON.parse(readFileSync(join(service, ".fetch-service.json"), "utf8"));
  return state.answers.integrations;
}

describe.skipIf(!integration)("in a real terminal", () => {
  it("integrations are ticked, added, taken out and taken back", async () => {
    const adding = new Terminal(["add-integration", "--no-install"], service);
    await adding.see("Integrations to add");
    adding.type(" ");
    adding.type(ENTER);
    await adding.see("Write it?");
    adding.type(ENTER);
    await adding.see("created");
    await adding.see("Next:");
    expect(await adding.ended).toMatchObject({ exitCode: 0 });
    expect(integrations()).toEqual([integration?.name]);

    const removing = new Terminal(["remove-integration", "--no-install"], service);
    await removing.see("Integrations to take out");
    removing.type(" ");
    removing.type(ENTER);
    await removing.see("Write it?");
    removing.type(ENTER);
    expect(await removing.ended).toMatchObject({ exitCode: 0 });
    expect(integrations()).toEqual([]);

    const undoing = new Terminal(["undo", "--no-install"], service);
    await undoing.see("Undid remove-integration");
    expect(await undoing.ended).toMatchObject({ exitCode: 0 });
    expect(integrations()).toEqual([integration?.name]);
  });

  it.each(["Integrations to add", "Write it?"])(
    "Ctrl-C at %j leaves everything as it was",
    async (question) => {
      const before = readFileSync(join(service, "package.json"), "utf8");
      const terminal = new Terminal(["add-integration"], service);
      await terminal.see("Integrations to add");
      if (question === "Write it?") {
        terminal.type(" ");
        terminal.type(ENTER);
        await terminal.see(question);
      }
      terminal.type(CTRL_C);
      await terminal.see("nothing was written");
      expect(await terminal.ended).toMatchObject({ exitCode: 130 });
      expect(readFileSync(join(service, "package.json"), "utf8")).toBe(before);
      expect(existsSync(join(service, ".fetch-service"))).toBe(false);
    },
  );
});
