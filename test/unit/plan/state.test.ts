import { execFileSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { blobId } from "../../../src/plan/blob-id.ts";
import { render } from "../../../src/plan/render.ts";
import { answersWith, templates } from "../../support/templates.ts";

const tree = render(templates, answersWith());
const text = Buffer.from(tree.get(".fetch-service.json")?.bytes ?? []).toString("utf8");
const state = JSON.parse(text);

describe("the state file", () => {
  it("records the format, the version and every answer", () => {
    expect(state).toMatchObject({ format: 1, templateVersion: templates.version });
    expect(state.answers).toEqual(answersWith());
  });

  it("records every file but itself, and the lockfile that is yet to come", () => {
    const paths = [...tree.keys()].filter((path) => path !== ".fetch-service.json");
    expect(Object.keys(state.files)).toEqual([...paths, "package-lock.json"].sort());
    expect(state.files["package-lock.json"]).toEqual({ owner: "managed" });
  });

  it("knows the user's own files", () => {
    expect(state.files["src/routes/receipts.ts"].owner).toBe("once");
    expect(state.files["src/main.ts"].owner).toBe("merged");
  });

  it("is sorted", () => {
    expect(Object.keys(state.answers)).toEqual(Object.keys(state.answers).sort());
  });

  it("holds git's own ids", () => {
    const input = Buffer.from("line\nünder\n");
    const id = execFileSync("git", ["hash-object", "--stdin"], { input, encoding: "utf8" });
    expect(blobId(input)).toBe(id.trim());
  });
});
