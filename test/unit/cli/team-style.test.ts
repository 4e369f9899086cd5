import { join } from "node:path";
import { tmpdir } from "node:os";

import { describe, expect, it } from "vitest";

import { render } from "../../../src/plan/render.ts";
import { FakeCommands, runFake } from "../../support/fake-host.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";
import { formattedTree } from "../../support/styles.ts";
import { answersWith, templatesWithFixture } from "../../support/templates.ts";

const ROOT = "/home/demo-service";
const tabs = await formattedTree("tabs", render(templatesWithFixture, answersWith()));

const templates = async () => templatesWithFixture;

/** A service that its team has formatted with tabs, and perhaps its formatter. */
async function run(args: string[], installed: boolean) {
  const files = [...tabs].map(
    ([path, { bytes }]) => [`${ROOT}/${path}`, String(Buffer.from(bytes))] as const,
  );
  const disk = new MemoryDisk({
    ...Object.fromEntries(files),
    [join(tmpdir(), "x")]: "",
    [`${ROOT}/.prettierrc`]: "useTabs: true\n",
    ...(installed && {
      [`${ROOT}/node_modules/prettier/package.json`]: '{"bin":"./bin/prettier.cjs"}',
    }),
  });
  const commands = new FakeCommands();
  return await runFake(args, { cwd: ROOT, templates, disk, commands });
}

describe("a service that its team has formatted", () => {
  it("does not differ from the template", async () => {
    const { out, commands } = await run(["status"], false);
    expect(out).not.toContain("edited");
    expect(commands.calls).toEqual([]);
  });

  it("runs no code of a folder without packages", async () => {
    for (const args of [["status"], ["diff"], ["add-integration", "postbox", "--dry-run"]]) {
      const { commands } = await run(args, false);
      expect(commands.calls.filter((line) => line.includes("prettier"))).toEqual([]);
    }
  });

  it("is changed in the team's format, and keeps the indentation of its record", async () => {
    const { code, out, disk, commands } = await run(
      ["add-integration", "postbox", "--no-install"],
      true,
    );
    expect(code).toBe(0);
    expect(out).toMatch(/Formatting \d+ files with Prettier/);
    expect(commands.calls[0]).toContain("prettier/bin/prettier.cjs --write");
    expect(disk.text(`${ROOT}/.fetch-service.json`)).toMatch(/^\{\n\t"format": 1,/);
  });
});
