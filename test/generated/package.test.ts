import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { answersWith, templates } from "../support/templates.ts";

const ROOT = join(import.meta.dirname, "../..");

let folder: string;
let tarball: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "package-"));
  execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: ROOT });
  tarball = join(folder, readdirSync(folder)[0] ?? "");
  execFileSync("npm", ["install", "--silent", "--global", "--prefix", folder, tarball]);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("the package that is published", () => {
  it("is small", () => {
    expect(statSync(tarball).size).toBeLessThan(300_000);
  });

  it("installs alone, with the licences of what is in it", () => {
    const modules = join(folder, "lib/node_modules");
    expect(readdirSync(modules)).toEqual(["create-fetch-service"]);
    expect(readdirSync(join(modules, "create-fetch-service"))).not.toContain("node_modules");
    const licences = readFileSync(join(modules, "create-fetch-service/dist/LICENSES.txt"), "utf8");
    for (const name of ["commander", "execa", "handlebars", "zod"]) {
      expect(licences).toMatch(new RegExp(`^${name} \\d`, "m"));
    }
  });

  it.each(templates.manifest.frameworks)(
    "makes the same $title service as the sources",
    ({ name }) => {
      const args = ["demo-service", "--yes", "--no-install", "--no-git", "--framework", name];
      const directory = join(folder, name);
      execFileSync(join(folder, "bin/create-fetch-service"), [...args, "--directory", directory], {
        // The package manager that runs the tests would become an answer.
        env: { PATH: process.env["PATH"] },
      });
      const tree = render(templates, answersWith({ framework: name }));
      for (const [path, { bytes, mode }] of tree) {
        expect(readFileSync(join(directory, path)).equals(Buffer.from(bytes)), path).toBe(true);
        expect(statSync(join(directory, path)).mode & 0o111, path).toBe(mode & 0o111);
      }
    },
  );
});
