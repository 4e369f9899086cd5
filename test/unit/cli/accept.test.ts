import { describe, expect, it } from "vitest";

import { run, ROOT, serviceDisk } from "../../support/service-disk.ts";
import type { MemoryDisk } from "../../support/memory-disk.ts";
import { nextOf } from "../../support/next-templates.ts";
import { templatesWithFixture } from "../../support/templates.ts";

const README = serviceDisk().text(`${ROOT}/README.md`);
const edits = { "README.md": `${README}\nours\n` };

const next = async () => nextOf(templatesWithFixture);
const archive = async () => ({
  versions: [templatesWithFixture.version],
  templates: () => templatesWithFixture,
});
const stateOn = (disk: MemoryDisk) => JSON.parse(disk.text(`${ROOT}/.fetch-service.json`));
const check = async (disk: MemoryDisk) => await run(["status", "--check"], { disk });

describe("accept", () => {
  it("records what differs, and the check passes", async () => {
    const disk = serviceDisk([], edits);
    disk.volume.unlinkSync(`${ROOT}/Dockerfile`);
    expect((await check(disk)).code).toBe(4);
    const { code, out } = await run(["accept", "--reason", "our own image"], { disk });
    expect(code).toBe(0);
    expect(out).toBe("  Dockerfile\n  README.md\n✓ Accepted 2 differences\n");
    expect(stateOn(disk).accepted).toEqual({
      Dockerfile: { reason: "our own image" },
      "README.md": { blob: expect.stringMatching(/^[0-9a-f]{40}$/), reason: "our own image" },
    });
    const status = await check(disk);
    expect(status.code).toBe(0);
    expect(status.out).toContain("  README.md: edited, accepted: our own image\n");
    expect(status.out).toContain("  Dockerfile: deleted, accepted: our own image\n");
    expect(status.out).toMatch(/none of \d+ files differ from the template, besides 2 accepted\n/);
  });

  it("takes a path from the root of the disk, and a reason as one line or as none", async () => {
    const disk = serviceDisk([], edits);
    await run(["accept", `${ROOT}/README.md`, "--reason", " our\n  own "], { disk });
    expect(stateOn(disk).accepted["README.md"].reason).toBe("our own");
    await run(["accept", "./README.md", "--reason", ""], { disk });
    expect(stateOn(disk).accepted["README.md"]).not.toHaveProperty("reason");
  });

  it("takes single paths, and fails on the rest", async () => {
    const disk = serviceDisk([], { ...edits, "fsd.yml": "ours: true\n" });
    await run(["accept", "README.md"], { disk });
    const { code, out } = await check(disk);
    expect(code).toBe(4);
    expect(out).toContain("  fsd.yml: edited\n");
    expect(out).toContain("1 of");
  });

  it("is of one difference: a later edit counts again, but not other line ends", async () => {
    const disk = serviceDisk([], edits);
    await run(["accept"], { disk });
    disk.volume.writeFileSync(`${ROOT}/README.md`, edits["README.md"].replaceAll("\n", "\r\n"));
    expect((await check(disk)).code).toBe(0);
    disk.volume.writeFileSync(`${ROOT}/README.md`, `${edits["README.md"]}more\n`);
    expect((await check(disk)).code).toBe(4);
  });

  it("is of what the files say: a formatter changes nothing", async () => {
    const path = "src/settings.ts";
    const yaml = "# ours\nours:\n  - 1\n";
    const code = `${serviceDisk().text(`${ROOT}/${path}`)}\nexport const ours = { a: "1" };\n`;
    const disk = serviceDisk([], { [path]: code, "compose.yaml": yaml });
    await run(["accept"], { disk });
    const write = (file: string, text: string) =>
      disk.volume.writeFileSync(`${ROOT}/${file}`, text);
    write(path, code.replace(`{ a: "1" };`, "{\n\ta: '1',\n}").replaceAll(";\n", "\n"));
    write("compose.yaml", "# ours\nours: [1]\n");
    expect((await check(disk)).code).toBe(0);
    write("compose.yaml", "# ours\nours: [2]\n");
    expect((await check(disk)).code).toBe(4);
    write("compose.yaml", yaml);
    write(path, code.replace(`"1"`, `"2"`));
    expect((await check(disk)).code).toBe(4);
  });

  it("stays through commands that merge into the accepted file", async () => {
    const disk = serviceDisk([], edits);
    await run(["accept", "--reason", "team notes"], { disk });
    await run(["add-integration", "postbox"], { disk });
    expect(disk.text(`${ROOT}/README.md`)).not.toBe(edits["README.md"]);
    expect((await check(disk)).code).toBe(0);
    await run(["update"], { disk, templates: next, archive });
    const updated = await run(["status", "--check"], { disk, templates: next });
    expect(updated.code).toBe(0);
    expect(updated.out).toContain("README.md: edited, accepted: team notes");
    expect(stateOn(disk).accepted["README.md"].reason).toBe("team notes");
    await run(["undo"], { disk, templates: next });
    await run(["remove-integration", "postbox"], { disk });
    expect((await check(disk)).code).toBe(0);
  });

  it("lets a command say no more of a file that is gone on purpose", async () => {
    const disk = serviceDisk();
    disk.volume.unlinkSync(`${ROOT}/Dockerfile`);
    const args = ["add-integration", "postbox", "--dry-run"];
    expect((await run(args, { disk })).out).toContain("Dockerfile: you deleted it");
    await run(["accept", "Dockerfile"], { disk });
    expect((await run(args, { disk })).out).not.toContain("Dockerfile");
  });

  it("can be undone, and forgets what no longer differs", async () => {
    const disk = serviceDisk([], edits);
    const before = stateOn(disk);
    await run(["accept"], { disk });
    await run(["undo"], { disk });
    expect(stateOn(disk)).toEqual(before);
    await run(["accept"], { disk });
    disk.volume.writeFileSync(`${ROOT}/README.md`, README);
    expect((await run(["accept"], { disk })).out).toBe("✓ Nothing to accept\n");
    expect(stateOn(disk)).toEqual(before);
  });

  it("keeps the indentation of the state file", async () => {
    const disk = serviceDisk([], edits);
    const path = `${ROOT}/.fetch-service.json`;
    disk.volume.writeFileSync(path, JSON.stringify(stateOn(disk), null, "\t"));
    await run(["accept"], { disk });
    expect(disk.text(path)).toMatch(/^\{\n\t"format": 1,\n.*\n\t"answers": \{\n\t\t"description"/);
  });

  it("tells what it would accept, as text and as data, and writes nothing", async () => {
    const disk = serviceDisk([], edits);
    const before = disk.everything();
    const { out } = await run(["accept", "--dry-run"], { disk });
    expect(out).toBe("  README.md\n1 difference to accept; nothing was written\n");
    const { out: json } = await run(["accept", "--dry-run", "--json"], { disk });
    expect(JSON.parse(json)).toEqual({ plan: [{ path: "README.md", kind: "edited" }] });
    expect(disk.everything()).toEqual(before);
  });

  it("refuses what does not differ, and what is still to be decided", async () => {
    const marked = `<<<<<<< yours\na\n=======\nb\n>>>>>>> template\n`;
    const disk = serviceDisk([], { "README.md": marked });
    const conflict = await run(["accept", "README.md"], { disk });
    expect([conflict.code, conflict.err]).toEqual([1, expect.stringContaining("to be decided")]);
    const all = await run(["accept"], { disk });
    expect(all.out).toContain("- README.md is not accepted: it is still to be decided\n");
    const same = await run(["accept", "fsd.yml"], { disk });
    expect([same.code, same.err]).toEqual([2, expect.stringContaining("does not differ")]);
  });
});

describe("status", () => {
  it("says where a file went that was moved", async () => {
    const disk = serviceDisk();
    disk.volume.mkdirSync(`${ROOT}/deploy`);
    disk.volume.renameSync(`${ROOT}/fsd.yml`, `${ROOT}/deploy/fsd.yml`);
    const { out } = await run(["status"], { disk });
    expect(out).toContain("  fsd.yml: moved to deploy/fsd.yml\n");
  });

  it("says as data how far behind the service is", async () => {
    const versions = ["0.9.0", "0.8.0", "0.1.0"];
    const { out } = await run(["status", "--json"], {
      templates: async () => ({ ...templatesWithFixture, version: "0.9.0" }),
      archive,
      changelog: async () => versions.map((version) => ({ version, changes: ["x"] })),
    });
    expect(JSON.parse(out).status).toMatchObject({
      templateVersion: templatesWithFixture.version,
      latest: "0.9.0",
      outdated: true,
      behind: ["0.9.0", "0.8.0"],
    });
  });
});
