// Last step of the build: copies the documentation pages' browser code beside the compiled code.
import { mkdir, writeFile } from "node:fs/promises";
import { type AssetName, ASSETS, builtAssets, readPackageFile } from "./assets.ts";

await mkdir(builtAssets, { recursive: true });
for (const name of Object.keys(ASSETS) as AssetName[]) {
  await writeFile(new URL(name, builtAssets), await readPackageFile(name));
}
