import { describe, expect, it } from "vitest";

import { UserError } from "../../../src/errors.ts";
import { readState, recordedAnswers } from "../../../src/plan/read-state.ts";
import { render } from "../../../src/plan/render.ts";
import { STATE_FILE } from "../../../src/plan/state.ts";
import { answersWith, templates } from "../../support/templates.ts";

const good = Buffer.from(render(templates, answersWith()).get(STATE_FILE)?.bytes ?? []).toString();
const read = (text: string) => readState(Buffer.from(text));
const withChange = (change: object) => JSON.stringify({ ...JSON.parse(good), ...change });

function errorOf(run: () => unknown): UserError {
  try {
    run();
  } catch (error) {
    if (error instanceof UserError) {
      return error;
    }
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a good state file", () => {
  it("is read as it was written", () => {
    const state = read(good);
    expect(state.templateVersion).toBe(templates.version);
    expect(recordedAnswers(state, templates.manifest)).toEqual(answersWith());
    expect(state.files.get("src/routes/receipts.ts")).toMatchObject({ owner: "once" });
    expect(state.files.get("package-lock.json")).toEqual({ owner: "managed" });
  });
});

describe("no good state file", () => {
  it("is missing", () => {
    expect(errorOf(() => readState(undefined))).toMatchObject({ code: "STATE_MISSING" });
  });

  it("is of a format to come", () => {
    const error = errorOf(() => read(withChange({ format: 2, files: "other" })));
    expect(error).toMatchObject({
      code: "STATE_NEWER",
      message: expect.stringMatching(/format 2/),
    });
  });

  it("has the marks of two branches", () => {
    const text = `<<<<<<< HEAD\n${good}=======\n${good}>>>>>>> other\n`;
    expect(errorOf(() => read(text)).hint).toMatch(/take either side whole/);
  });

  it.each([
    ["nothing in it", "", /JSON/],
    ["half of it", good.slice(0, 500), /JSON/],
    ["a list", "[]", /no JSON object/],
    ["null", "null", /no JSON object/],
    ["no format", withChange({ format: undefined }), /format/],
    ["an old format that never was", withChange({ format: 0 }), /format/],
    ["a version that is none", withChange({ templateVersion: "latest" }), /templateVersion: is no/],
    [
      "a version with a leading zero",
      withChange({ templateVersion: "0.02.0" }),
      /is not a version/,
    ],
    [
      "a version with an empty part",
      withChange({ templateVersion: "1.0.0-.." }),
      /is not a version/,
    ],
    [
      "a version beyond all numbers",
      withChange({ templateVersion: `${"9".repeat(20)}.0.0` }),
      /is not a version/,
    ],
    ["no files", withChange({ files: null }), /files/],
    ["keys of its own", withChange({ extra: 1 }), /extra/],
    ["a broken id", withChange({ files: { a: { blob: "x", owner: "merged" } } }), /files: a: blob/],
    ["a strange owner", withChange({ files: { a: { owner: "me" } } }), /files: a: owner/],
    [
      "a path out of it",
      withChange({ files: { "../a": { owner: "once" } } }),
      /not a path of a service/,
    ],
    [
      "an absolute path",
      withChange({ files: { "/a": { owner: "once" } } }),
      /not a path of a service/,
    ],
    ["a path with a backslash", withChange({ files: { "a\\b": { owner: "once" } } }), /not a path/],
  ])("has %s", (_, text, message) => {
    const error = errorOf(() => read(text));
    expect(error).toMatchObject({ code: "STATE_BROKEN", message: expect.stringMatching(message) });
    expect(error.hint).toMatch(/adopt/);
  });

  it("has bytes that are no text", () => {
    expect(errorOf(() => readState(Buffer.from([0xff, 0xfe])))).toMatchObject({
      code: "STATE_BROKEN",
    });
  });

  it.each([
    [{ integrations: ["carrier-pigeon"] }, /integrations: 0: "carrier-pigeon" is unknown/],
    [{ framework: "koa" }, /framework: "koa" is unknown/],
    [{ port: "8000" }, /port/],
    [{ name: undefined }, /name/],
    [{ colour: "red" }, /colour/],
  ])("has answers that the catalogue does not know: %o", (change, message) => {
    const answers = { ...JSON.parse(good).answers, ...change };
    const state = read(withChange({ answers }));
    const error = errorOf(() => recordedAnswers(state, templates.manifest));
    expect(error).toMatchObject({ code: "STATE_BROKEN", message: expect.stringMatching(message) });
  });
});
