import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { wholeArchive } from "../support/archive.ts";
import { render } from "../../src/plan/render.ts";
import type { Tree } from "../../src/plan/tree.ts";
import { answersWith, templates } from "../support/templates.ts";

const ROOT = join(import.meta.dirname, "../..");

/** What a run loaded besides Node itself. */
interface Loaded {
  modules: number;
  bytes: number;
}

// Time differs from machine to machine; what a run loads does not.
const COUNTER = `
const { prototype } = require("node:module");
const { _compile } = prototype;
const names = new Set();
let bytes = 0;
prototype._compile = function (source, name, ...rest) {
  names.add(name);
  bytes += source.length;
  return _compile.call(this, source, name, ...rest);
};
process.on("exit", () => {
  const loaded = JSON.stringify({ modules: names.size, bytes });
  require("node:fs").writeFileSync(process.env.LOADED, loaded);
});
`;

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
    expect(statSync(tarball).size).toBeLessThan(400_000);
  });

  it("installs alone, with the licences of what is in it", () => {
    const modules = join(folder, "lib/node_modules");
    expect(readdirSync(modules)).toEqual(["create-fetch-service"]);
    expect(readdirSync(join(modules, "create-fetch-service"))).not.toContain("node_modules");
    const licences = readFileSync(join(modules, "create-fetch-service/dist/LICENSES.txt"), "utf8");
    for (const name of ["chalk", "commander", "execa", "handlebars", "zod"]) {
      expect(licences).toMatch(new RegExp(`^${name} \\d`, "m"));
    }
  });

  it("runs nothing when it is installed", () => {
    const path = join(folder, "lib/node_modules/create-fetch-service/package.json");
    const { scripts } = JSON.parse(readFileSync(path, "utf8"));
    const atInstall = ["preinstall", "install", "postinstall", "prepare"];
    expect(atInstall.filter((name) => name in scripts)).toEqual([]);
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

  it("loads and writes no more than it has to, so that it is quick on any machine", () => {
    const counter = join(folder, "counter.cjs");
    writeFileSync(counter, COUNTER);
    const count = (...args: string[]): Loaded => {
      const file = join(folder, "loaded.json");
      const program = join(folder, "bin/create-fetch-service");
      execFileSync(process.execPath, ["--require", counter, program, ...args], {
        // Without the folders of npm: for them, it asks which Node the user's terminal has.
        env: { PATH: "/usr/bin:/bin", LOADED: file },
      });
      return JSON.parse(readFileSync(file, "utf8")) as Loaded;
    };
    const help = count("--help");
    expect(help.modules).toBeLessThanOrEqual(3);
    expect(help.bytes).toBeLessThan(55_000);
    const directory = join(folder, "counted");
    const create = count("counted", "--yes", "--no-install", "--no-git", "--directory", directory);
    expect(create.modules).toBeLessThanOrEqual(5);
    expect(create.bytes).toBeLessThan(170_000);
    const written = readdirSync(directory, { recursive: true, withFileTypes: true });
    expect(written.filter((entry) => entry.isFile()).length).toBeLessThanOrEqual(113);
  });

  it("updates a service of every archived version to what it makes itself", async () => {
    const archive = wholeArchive();
    expect(archive.versions).not.toEqual([]);
    for (const version of archive.versions) {
      const directory = join(folder, `from-${version}`);
      const old = archive.templates(version) ?? templates;
      writeTree(directory, render(old, answersWith({}, old.manifest)));
      const args = ["update", "--no-install", "--directory", directory];
      const output = execFileSync(join(folder, "bin/create-fetch-service"), args, {
        encoding: "utf8",
      });
      expect(output).toContain(`Templates ${templates.version}:`);
      for (const [path, { bytes }] of render(templates, answersWith())) {
        expect(readFileSync(join(directory, path)).equals(Buffer.from(bytes)), path).toBe(true);
      }
    }
  });

  it("adopts, adds, takes out and undoes", () => {
    const cli = (...args: string[]) =>
      execFileSync(join(folder, "bin/create-fetch-service"), args, {
        cwd: join(folder, "worked-on"),
        encoding: "utf8",
      });
    const name = templates.manifest.integrations[0]?.name ?? "";
    writeTree(join(folder, "worked-on"), render(templates, answersWith()));
    rmSync(join(folder, "worked-on/.fetch-service.json"));
    expect(cli("adopt", "--yes")).toContain(`made by version ${templates.version}`);
    expect(cli("add-integration", name, "--no-install")).toContain("created");
    expect(cli("status", "--check")).toContain("none of");
    expect(cli("remove-integration", name, "--no-install")).toContain("deleted");
    expect(cli("undo", "--no-install")).toContain(`Undid remove-integration ${name}`);
    expect(cli("diff")).toBe("");
    expect(cli("completion", "bash")).toContain("add-integration");
  });
});

function writeTree(directory: string, tree: Tree): void {
  for (const [path, { bytes, mode }] of tree) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes, { mode });
  }
}
