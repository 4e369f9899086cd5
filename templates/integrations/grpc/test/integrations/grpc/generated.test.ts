import { execFile } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
const generated = "src/integrations/grpc/gen";
const buf = dirname(fileURLToPath(import.meta.resolve("@bufbuild/buf/package.json")));
// Where package managers put the commands of packages: buf looks for its plugin there.
const bin = [join(root, "node_modules/.bin"), join(buf, "../../.bin")];

/** The code in a folder by file, without what a formatter may have changed. */
function codeIn(folder: string): Map<string, string> {
  const withoutLayout = (file: string) =>
    readFileSync(join(folder, file), "utf8").replaceAll(/[\s,;'"|()]/g, "");
  return new Map(globSync("**/*.ts", { cwd: folder }).map((file) => [file, withoutLayout(file)]));
}

test("the code is what `npm run generate` makes of proto/", async () => {
  const folder = mkdtempSync(join(tmpdir(), "generated-"));
  try {
    const PATH = [...bin, process.env["PATH"]].join(delimiter);
    const options = { cwd: root, env: { ...process.env, PATH } };
    const command = [join(buf, "bin/buf"), "generate", "--output", folder];
    await promisify(execFile)(process.execPath, command, options);
    const [here, made] = [codeIn(join(root, generated)), codeIn(join(folder, generated))];
    const files = [...new Set([...here.keys(), ...made.keys()])];
    expect(files.filter((file) => here.get(file) !== made.get(file))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
