import { describe, expect, it } from "vitest";

import { InternalError } from "../../src/errors.ts";
import { render } from "../../src/plan/render.ts";
import { unformatted } from "../support/format.ts";
import { answersWith, templates, templatesWithFixture } from "../support/templates.ts";

const without = render(templatesWithFixture, answersWith());
const tree = render(templatesWithFixture, answersWith({ integrations: ["postbox"] }));
const text = (path: string) => Buffer.from(tree.get(path)?.bytes ?? []).toString("utf8");

function withoutState(files: typeof tree) {
  return [...files].filter(([path]) => path !== ".fetch-service.json");
}

describe("one folder and one manifest entry make an integration", () => {
  it("changes nothing for a service that does not choose it", () => {
    expect(withoutState(without)).toEqual(withoutState(render(templates, answersWith())));
  });

  it("brings its own files, rendered, and those of the shared layer that it needs", () => {
    expect(text("src/integrations/postbox/index.ts")).toBe(
      'export const postbox = "demo-service on 8000";\n',
    );
    expect(text("src/platform/ink.ts")).toBe('export const ink = "blue";\n');
  });

  it("merges its package.json", () => {
    const { dependencies, scripts } = JSON.parse(text("package.json"));
    expect(dependencies).toMatchObject({ "a-postbox": "1.2.3", "an-ink": "4.5.6" });
    expect(Object.keys(dependencies)).toEqual(Object.keys(dependencies).sort());
    expect(Object.keys(scripts)).toEqual(Object.keys(scripts).sort());
  });

  it("merges its settings and ignored files", () => {
    expect(text(".env.example")).toMatch(/\n\n# Where letters go\nPOSTBOX_ADDRESS=here\n$/);
    expect(text(".gitignore").match(/node_modules/g)).toHaveLength(1);
    expect(text(".gitignore")).toContain("letters/\n");
  });

  it("is listed once, in the one list of the service's integrations", () => {
    expect(text("src/integrations/index.ts")).toContain('from "./postbox/index.ts"');
  });

  it("fills its slots", () => {
    expect(text("README.md")).toContain("## Postbox\n\ndemo-service sends letters.\n");
  });

  it("stays formatted", async () => {
    expect(await unformatted(tree)).toEqual([]);
  });

  it("refuses a piece for a slot that the manifest does not name", () => {
    const stray = {
      path: "integrations/postbox/slots/attic.md",
      executable: false,
      content: Buffer.from("x\n"),
    };
    const broken = { ...templatesWithFixture, files: [...templatesWithFixture.files, stray] };
    expect(() => render(broken, answersWith({ integrations: ["postbox"] }))).toThrow(InternalError);
  });

  it("refuses a second owner of a file", () => {
    const second = {
      path: "integrations/postbox/src/app.ts",
      executable: false,
      content: Buffer.from("x\n"),
    };
    const broken = { ...templatesWithFixture, files: [...templatesWithFixture.files, second] };
    expect(() => render(broken, answersWith({ integrations: ["postbox"] }))).toThrow(
      /another layer already owns src\/app\.ts/,
    );
  });
});
