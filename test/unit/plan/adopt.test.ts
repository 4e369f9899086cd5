import { describe, expect, it } from "vitest";

import { adopt } from "../../../src/plan/adopt.ts";
import type { DiskFile } from "../../../src/plan/plan.ts";
import { render } from "../../../src/plan/render.ts";
import { wholeArchive } from "../../support/archive.ts";
import {
  allVariants,
  answersWith,
  templatesWithFixture,
  titleOf,
} from "../../support/templates.ts";

const [old] = ["0.1.0"].flatMap((version) => wholeArchive().templates(version) ?? []);
const now = { ...templatesWithFixture, version: "99.0.0" };
const versions = [now, ...(old ? [old] : [])];

const given = {
  name: "points",
  description: "Counts: points",
  team: "Röwards",
  port: 9000,
  metricsPort: 9001,
};

function withoutState(templates: typeof now, answers = answersWith(given)) {
  const files = new Map<string, DiskFile>(render(templates, answers));
  files.delete(".fetch-service.json");
  return files;
}

const write = (files: Map<string, DiskFile>, path: string, change: (text: string) => string) =>
  files.set(path, {
    bytes: Buffer.from(change(Buffer.from(files.get(path)?.bytes ?? []).toString("utf8"))),
    mode: 0o644,
  });

describe("a service without its record", () => {
  it.each(
    allVariants(now.manifest)
      .filter((_, index) => index % 13 === 0)
      .map((answers) => ({ title: titleOf(answers), answers: { ...answers, ...given } })),
  )("is recognised: $title", ({ answers }) => {
    const adoption = adopt(versions, withoutState(now, answers));
    expect(adoption).toMatchObject({ answers, templates: { version: "99.0.0" } });
    expect(adoption?.equal).toBe(adoption?.total);
  });

  it("is recognised by its version", () => {
    const found = versions.map((templates) => adopt(versions, withoutState(templates)));
    expect(found.map((adoption) => adoption?.templates.version)).toEqual(
      versions.map(({ version }) => version),
    );
  });

  it("is recognised after a year of work on it", () => {
    const answers = answersWith({ ...given, framework: "express", integrations: ["postbox"] });
    const files = withoutState(now, answers);
    files.delete("src/routes/receipts.ts");
    files.delete("README.md");
    files.set("yarn.lock", { bytes: Buffer.from("x"), mode: 0o644 });
    write(files, "src/orders.ts", () => "export const orders = [];\n");
    write(files, "package.json", (text) =>
      text
        .replace('"dependencies": {', '"dependencies": {"x": "1",')
        .replace(/"packageManager": "npm@[^"]+"/, '"packageManager": "yarn@1.22.22"'),
    );
    write(files, "fsd.yml", () => "not: [yaml");
    const adoption = adopt(versions, files);
    expect(adoption?.answers).toEqual({ ...answers, team: "platform", packageManager: "yarn" });
  });

  it("is not taken for one when it is something else", () => {
    const other = new Map([["package.json", { bytes: Buffer.from('{"name":"x"}'), mode: 0o644 }]]);
    expect(adopt(versions, other)).toBeUndefined();
    expect(adopt(versions, new Map())).toBeUndefined();
  });
});
