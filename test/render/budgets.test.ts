import { describe, expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { commentLines, linesOf, textsBelow } from "../support/source-text.ts";
import { answersWith, templates } from "../support/templates.ts";

/**
 * What a plain service may have at most: whoever owns it reads it. Counted are the files that a create writes. The aim is
 * 80 files, 4,100 lines in src, 3,500 of them the platform's and 1,500 the cluster's: lower these, never raise them.
 */
const BUDGET = {
  files: 96,
  sourceLines: 7_560,
  platformLines: 7_165,
  clusterLines: 1_480,
  clusterFiles: 9,
  testLines: 480,
};

/** Comments say why: fewer lines leave riddles, more of them restate the code. */
const COMMENT_SHARE = { min: 0.05, max: 0.13 };

describe.each(templates.manifest.frameworks)("a plain service on $title", ({ name }) => {
  const tree = render(templates, answersWith({ framework: name }));
  const code = (folder: string) =>
    [...textsBelow(tree, folder)].filter(([path]) => path.endsWith(".ts")).map(([, text]) => text);
  const count = (folder: string, countIn: (text: string) => number) =>
    code(folder).reduce((sum, text) => sum + countIn(text), 0);

  it.each<[keyof typeof BUDGET, () => number]>([
    ["files", () => tree.size],
    ["sourceLines", () => count("src/", linesOf)],
    ["platformLines", () => count("src/platform/", linesOf)],
    ["clusterLines", () => count("src/platform/cluster/", linesOf)],
    ["clusterFiles", () => code("src/platform/cluster/").length],
    ["testLines", () => count("test/", linesOf)],
  ])("keeps to its budget of %s", (kind, counted) => {
    expect(counted()).toBeLessThanOrEqual(BUDGET[kind]);
  });

  it("is commented, but not twice", () => {
    const share = count("src/", commentLines) / count("src/", linesOf);
    expect(share).toBeGreaterThanOrEqual(COMMENT_SHARE.min);
    expect(share).toBeLessThanOrEqual(COMMENT_SHARE.max);
  });
});
