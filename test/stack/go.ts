import { rename } from "node:fs/promises";
import { basename, join } from "node:path";

import { build } from "./build.ts";
import { cached, fingerprint } from "./cache.ts";

const NEEDS = "Go 1.26 or newer";

/**
 * A program of a Go module, compiled once.
 * @param title what it is, and how long the compiler takes.
 * @returns its path.
 */
export async function installGoProgram(
  program: string,
  version: string,
  title: string,
): Promise<string> {
  const name = `${program.split("/")[2]}-${version}`;
  const folder = await cached(name, async (part) => {
    await build(`${name} (${title})`, [
      {
        command: ["go", "install", "-ldflags=-s -w", `${program}@${version}`],
        // A module cache that anybody may remove.
        env: { GOBIN: part, GOFLAGS: "-modcacherw" },
        needs: NEEDS,
      },
    ]);
    await rename(join(part, basename(program)), join(part, "program"));
  });
  return join(folder, "program");
}

/** The program of a folder with a go.mod and a main.go, compiled once. @returns its path. */
export async function buildGoProgram(source: string, title: string): Promise<string> {
  const name = `${basename(source)}-${await fingerprint(source, ["go.mod", "go.sum", "main.go"])}`;
  const folder = await cached(name, (part) =>
    build(`${name} (${title})`, [
      {
        command: [
          ...(["go", "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w"] as const),
          ...["-o", join(part, "program"), "."],
        ],
        cwd: source,
        env: { GOFLAGS: "-modcacherw" },
        needs: NEEDS,
      },
    ]),
  );
  return join(folder, "program");
}
