// Last step of the build: copies the documentation pages' browser code beside the compiled code.
import { copyFile, mkdir } from "node:fs/promises";
import { type AssetName, ASSETS, builtAssets, packageFile } from "./assets.ts";

await mkdir(builtAssets, { recursive: true });
for (const name of Object.keys(ASSETS) as AssetName[]) {
  await copyFile(packageFile(name), new URL(name, builtAssets));
}
