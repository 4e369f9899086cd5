import { describe, expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { unformatted } from "../support/format.ts";
import { textsIn } from "../support/parse.ts";
import { allVariants, templates, titleOf } from "../support/templates.ts";

describe.each(
  allVariants(templates.manifest).map((answers) => ({ title: titleOf(answers), answers })),
)("$title", ({ answers }) => {
  const tree = render(templates, answers);
  const files = [...tree].map(
    ([path, { bytes }]) => [path, Buffer.from(bytes).toString("utf8")] as const,
  );

  it("renders to the same bytes every time", () => {
    expect([...render(templates, answers)]).toEqual([...tree]);
  });

  it("leaves no template syntax", () => {
    // GitHub's own expressions look the same, but for the dollar sign.
    expect(files.filter(([, text]) => /(?<!\$)\{\{/.test(text)).map(([path]) => path)).toEqual([]);
  });

  it("ends every file with one newline and no line with a space", () => {
    const untidy = files.filter(([, text]) => !/[^\n]\n$/.test(text) || /[ \t]$/m.test(text));
    expect(untidy.map(([path]) => path)).toEqual([]);
  });

  it("parses", () => {
    expect(() => files.map(([path, text]) => textsIn(path, text))).not.toThrow();
  });

  it("is formatted as the service's own formatter would", async () => {
    expect(await unformatted(tree)).toEqual([]);
  });
});
