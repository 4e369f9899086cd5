// Last step of the build: copies the documentation pages' browser code beside the compiled code.
import { mkdir, writeFile } from "node:fs/promises";
import { type AssetName, ASSETS, readPackageFile } from "./docs.ts";

const target = new URL("../../../dist/assets/", import.meta.url);
await mkdir(target, { recursive: true });
for (const name of Object.keys(ASSETS) as AssetName[]) {
  await writeFile(new URL(name, target), await readPackageFile(name));
}
