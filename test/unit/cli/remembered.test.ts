import { describe, expect, it } from "vitest";

import { builtInArchive } from "../../../src/cli/templates.ts";
import { blobId } from "../../../src/plan/blob-id.ts";
import type { DiskFile } from "../../../src/plan/plan.ts";
import { rememberedOf, render } from "../../../src/plan/render.ts";
import { wholeArchive } from "../../support/archive.ts";
import { FakeCommands } from "../../support/fake-host.ts";
import { onDisk } from "../../support/service.ts";
import { diskOf, filesOf, ROOT, run } from "../../support/service-disk.ts";
import { formattedTree } from "../../support/styles.ts";
import { answersWith, templates } from "../../support/templates.ts";

const whole = wholeArchive();
const short = await builtInArchive();

const VERSION = "0.2.0";
const old = whole.templates(VERSION) ?? templates;
const answers = answersWith({ integrations: ["kafka"] }, old.manifest);
const once = onDisk(render(old, answers));
const remembered = rememberedOf(short.templates(VERSION) ?? templates, answers);
const dropped = [...remembered.keys()].find((path) => path.endsWith(".ts")) ?? "";

const textOf = (path: string) => Buffer.from(once.get(path)?.bytes ?? []).toString("utf8");
const withFile = (path: string, text: string) =>
  new Map(once).set(path, { bytes: Buffer.from(text), mode: 0o644 });
const without = (...paths: string[]) =>
  new Map([...once].filter(([path]) => !paths.includes(path)));

/** What teams have made of a service that an old version wrote. */
const SERVICES: Record<string, ReadonlyMap<string, DiskFile>> = {
  "as it was written": once,
  "in a checkout of Windows": new Map(
    [...once].map(([path, file]) => [
      path,
      { ...file, bytes: Buffer.from(textOf(path).replaceAll("\n", "\r\n")) },
    ]),
  ),
  "in the team's own format": await formattedTree("tabs", once),
  "with a dropped file that was edited": withFile(dropped, `${textOf(dropped)}// ours\n`),
  "with a dropped file that was deleted": without(dropped),
  "with a dropped file that was moved": new Map([
    ...without(dropped),
    [`lib/${dropped}`, once.get(dropped) ?? { bytes: Buffer.from(""), mode: 0o644 }],
  ]),
  "with a dropped file that can be executed": new Map(once).set(dropped, {
    bytes: Buffer.from(textOf(dropped)),
    mode: 0o755,
  }),
};

const COMMANDS = [
  "status --json",
  "diff",
  "update --no-install",
  "add-integration s3 --no-install",
  "remove-integration kafka --no-install",
  "accept --all",
];

/** The team's git, which has what the service began with. */
function git(): FakeCommands {
  const commands = new FakeCommands();
  const bytes = Buffer.from(textOf(dropped));
  const object = `${blobId(bytes)} blob ${bytes.length}\n${bytes.toString()}\n`;
  commands.captured["git cat-file --batch"] = Buffer.from(object);
  return commands;
}

async function outcome(
  command: string,
  files: ReadonlyMap<string, DiskFile>,
  archive: typeof short,
  commands = git(),
) {
  const disk = diskOf(files);
  if (command.startsWith("adopt")) {
    disk.volume.unlinkSync(`${ROOT}/.fetch-service.json`);
  }
  const given = { disk, commands, templates: async () => templates, archive: async () => archive };
  const { code, out, err } = await run(command.split(" "), given);
  return { code, out: out.replaceAll(/ \([\d.]+ m?s\)/g, ""), err, files: filesOf(disk) };
}

describe("a file of an old version that is only remembered by its ids", () => {
  it("is one that every service of its version has, and this version has not", () => {
    expect(remembered.size).toBeGreaterThan(50);
    const now = new Set(render(templates, answersWith({ integrations: ["kafka"] })).keys());
    expect([...remembered.keys()].filter((path) => now.has(path))).toEqual([]);
  });

  describe.each(Object.keys(SERVICES))("in a service %s", (title) => {
    const files = SERVICES[title] ?? once;

    it.each(COMMANDS)("makes no difference to %s", async (command) => {
      expect(await outcome(command, files, short)).toEqual(await outcome(command, files, whole));
    });
  });

  it.each(["as it was written", "with a dropped file that was edited"])(
    "makes no difference to adopt in a service %s",
    async (title) => {
      const files = SERVICES[title] ?? once;
      const adopted = await outcome("adopt --yes", files, short);
      expect(adopted).toEqual(await outcome("adopt --yes", files, whole));
    },
  );

  it("stays when it was edited, without git, too", async () => {
    const files = SERVICES["with a dropped file that was edited"] ?? once;
    const nowhere = new FakeCommands();
    const updated = await outcome("update --no-install", files, short, nowhere);
    expect(updated.out).toContain(`${dropped}: the template has dropped it; it stays`);
    expect(updated.files[`${ROOT}/${dropped}`]).toMatch(/\n\/\/ ours\n$/);
    const added = await outcome("add-integration s3 --no-install", files, short, nowhere);
    expect(added).toEqual(await outcome("add-integration s3 --no-install", files, whole, nowhere));
    const { out } = await outcome("diff", files, short, nowhere);
    expect(out).toContain("it differs; what the template once wrote there is lost");
    const status = await outcome("status", files, short, nowhere);
    expect(status).toEqual(await outcome("status", files, whole, nowhere));
  });

  it("stays deleted without a word when this version has none, without git, too", async () => {
    const files = SERVICES["with a dropped file that was deleted"] ?? once;
    const nowhere = new FakeCommands();
    const command = "update --no-install";
    const updated = await outcome(command, files, short, nowhere);
    expect(updated).toEqual(await outcome(command, files, whole, nowhere));
  });
});
