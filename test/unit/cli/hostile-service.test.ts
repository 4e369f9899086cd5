import fc from "fast-check";
import { expect, it } from "vitest";

import { MemoryDisk } from "../../support/memory-disk.ts";
import { ROOT, run, serviceDisk } from "../../support/service-disk.ts";

const SEED = 16;
const RUNS = 150;
const STATE = ".fetch-service.json";

const disk = serviceDisk(["postbox"]);
const whole = JSON.parse(disk.text(`${ROOT}/${STATE}`)) as Record<string, unknown>;
const files = Object.keys(whole["files"] as object);

const path = fc.oneof(
  fc.constantFrom(
    ...files.slice(0, 5),
    "../outside",
    "/outside",
    ".git/config",
    "src/../../outside",
    "linked/x",
    STATE,
    ".fetch-service/journal",
    "",
    "\u001B[2J\u202E",
    "a\u0000b",
    "__proto__",
    "CON",
  ),
  fc.string({ maxLength: 20 }),
);
const blob = fc.oneof(
  fc.constantFrom("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "--upload-pack=x", ""),
  fc.string(),
);
const record = fc.oneof(
  fc.record({ blob, owner: fc.constantFrom("merged", "once", "managed", "x") }),
  fc.jsonValue(),
);

/** A part of the state, taken away or something else in its place. */
const stateFile = fc.oneof(
  fc.json(),
  fc.string().map((text) => `{"format":1,${text}}`),
  fc
    .record({
      name: fc.constantFrom(...Object.keys(whole), "format", "__proto__"),
      value: fc.oneof(fc.jsonValue(), fc.dictionary(path, record)),
    })
    .map(({ name, value }) => JSON.stringify({ ...whole, [name]: value })),
  fc
    .record({ at: fc.nat(2_000), text: fc.string({ maxLength: 3 }), gone: fc.nat(40) })
    .map(({ at, text, gone }) => {
      const json = JSON.stringify(whole);
      return json.slice(0, at) + text + json.slice(at + gone);
    }),
);
const state = fc.option(fc.record({ id: blob, mode: fc.constantFrom(0o644, 0o4755, -1) }));
const step = fc.oneof(fc.record({ path, before: state, after: state }), fc.jsonValue());
const journal = fc.oneof(
  fc.record({
    command: fc.string(),
    undoes: fc.boolean(),
    steps: fc.array(step, { maxLength: 3 }),
  }),
  fc.jsonValue(),
);
const command = fc.constantFrom(
  ["status"],
  ["diff"],
  ["diff", "README.md", "--json"],
  ["update", "--no-install"],
  ["update", "--dry-run", "--json"],
  ["add-integration", "postbox", "--no-install"],
  ["remove-integration", "postbox", "--no-install"],
  ["undo"],
  ["adopt"],
);

/** What lies outside the service, and in its repository. */
function others(of: MemoryDisk): string[] {
  return of.everything().filter((one) => !one.startsWith(`${ROOT}/`) || /\/\.git\//.test(one));
}

it("no state file and no journal takes a command out of its service, or down", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.option(stateFile),
      fc.option(fc.tuple(fc.constantFrom("commit", "rollback", "undo"), journal)),
      command,
      async (text, written, args) => {
        const hostile = serviceDisk(["postbox"]);
        hostile.volume.mkdirSync("/home/elsewhere");
        hostile.volume.writeFileSync("/home/outside", "mine\n");
        hostile.volume.symlinkSync("../elsewhere", `${ROOT}/linked`);
        if (text !== null) hostile.volume.writeFileSync(`${ROOT}/${STATE}`, text);
        if (written !== null) {
          const folder = `${ROOT}/.fetch-service/${written[0]}`;
          hostile.volume.mkdirSync(folder, { recursive: true });
          hostile.volume.writeFileSync(`${folder}/journal`, JSON.stringify(written[1]));
          for (const name of ["0.new", "0.old", "1.new", "1.old"]) {
            hostile.volume.writeFileSync(`${folder}/${name}`, "stranger's\n");
          }
        }
        const before = others(hostile);
        const { code, out, err } = await run([...args], { disk: hostile });
        expect([0, 1, 2, 3, 4], err).toContain(code);
        expect(err).not.toContain("this is a bug");
        expect(others(hostile)).toEqual(before);
        expect(hostile.text("/home/outside")).toBe("mine\n");
        // oxlint-disable-next-line no-control-regex -- they are what is looked for
        expect(out + err).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202E]/);
      },
    ),
    { seed: SEED, numRuns: RUNS },
  );
});
