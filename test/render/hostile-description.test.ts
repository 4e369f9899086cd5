import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { problemOf } from "../../src/answers/schema.ts";
import { render } from "../../src/plan/render.ts";
import { textsIn } from "../support/parse.ts";
import { answersWith, templates } from "../support/templates.ts";

const PIECES = [
  '"',
  "'",
  "`",
  "\\",
  "\n",
  "</script>",
  "{{name}}",
  "{{",
  "}}",
  "${x}",
  "*/",
  "#",
  ": ",
];

const description = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: "grapheme", maxLength: 8 })), {
    maxLength: 30,
  })
  .map((parts) => parts.join(""))
  .filter((text) => problemOf(templates.manifest, "description", text) === undefined);

/** The files that carry the description, by a text that stands nowhere else. */
const carriers = [...render(templates, answersWith({ description: "Xyzzy" }))]
  .filter(([path, { bytes }]) => textsIn(path, String(Buffer.from(bytes))).includes("Xyzzy"))
  .map(([path]) => path);

describe("a description, whatever it holds", () => {
  it("stands in the files of several languages", () => {
    expect(carriers).toEqual(expect.arrayContaining(["package.json", "fsd.yml"]));
  });

  it("breaks no file and is carried unchanged", () => {
    fc.assert(
      fc.property(description, (text) => {
        const tree = render(templates, answersWith({ description: text }));
        for (const [path, { bytes }] of tree) {
          const texts = textsIn(path, Buffer.from(bytes).toString("utf8"));
          if (carriers.includes(path)) {
            expect(texts).toContain(text);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
