import { describe, expect, it } from "vitest";

import { addToArchive, rawVersions, readArchive } from "../../../src/catalog/archive.ts";
import { InternalError } from "../../../src/errors.ts";
import { templates } from "../../support/templates.ts";

const file = (path: string, content: string | Buffer, executable = false) => ({
  path,
  executable,
  bytes: Buffer.from(content),
});
const { manifest } = templates;
const first = {
  version: "1.0.0",
  manifest,
  files: [file("base/a", "same"), file("base/b", "old")],
};
const second = {
  version: "1.1.0",
  manifest,
  files: [file("base/a", "same"), file("base/run", Buffer.from([0xff, 0, 1]), true)],
};
const archive = addToArchive(addToArchive(undefined, first), second);
const compile = (source: string) => () => source;

describe("the archive of old templates", () => {
  it("gives back what was put in", () => {
    expect(rawVersions(archive)).toEqual([first, second]);
  });

  it("has templates by version", () => {
    const opened = readArchive(archive, compile);
    expect(opened.versions).toEqual(["1.0.0", "1.1.0"]);
    expect(opened.templates("1.0.0")).toMatchObject({ version: "1.0.0", manifest });
    expect(opened.templates("9.9.9")).toBeUndefined();
  });

  it("compiles what is to be rendered, and nothing else", () => {
    const rendered = { ...first, files: [file("base/a.hbs", "A"), file("base/b", "B")] };
    const opened = readArchive(addToArchive(undefined, rendered), compile);
    const contents = opened.templates("1.0.0")?.files.map(({ content }) => content);
    expect(contents).toEqual([expect.any(Function), Buffer.from("B")]);
  });

  it("replaces a version that it has", () => {
    const anew = { ...first, files: [file("base/c", "new")] };
    expect(rawVersions(addToArchive(archive, anew))).toEqual([anew, second]);
  });

  it("is the same for the same templates", () => {
    expect(addToArchive(addToArchive(undefined, first), second)).toEqual(archive);
  });

  it("stores a file of several versions once", () => {
    const long = file("base/long", Array.from({ length: 9999 }, (_, n) => String(n * n)).join(" "));
    const one = addToArchive(undefined, { ...first, files: [long] });
    const two = addToArchive(one, { ...second, files: [long] });
    expect(two.length - one.length).toBeLessThan(one.length / 10);
  });

  it("is refused when it is broken", () => {
    expect(() => readArchive(archive.subarray(0, 20), compile)).toThrow(InternalError);
  });
});
