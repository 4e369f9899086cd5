import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** The browser code of the documentation pages, by the name it is served under, and the package it comes from. */
export const ASSETS = {
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "redoc.standalone.js": "redoc/bundles/redoc.standalone.js",
} as const;

export type AssetName = keyof typeof ASSETS;

/** Where the build puts the copies, so that the two packages stay out of the image. */
export const builtAssets = new URL("assets/", import.meta.url);

/** Reads an asset: the build's copy, or in development the package's own file. */
export async function readAsset(name: AssetName): Promise<Buffer> {
  try {
    return await readFile(new URL(name, builtAssets));
  } catch {
    return readFile(packageFile(name));
  }
}

/** The file inside the package that `name` comes from. */
export function packageFile(name: AssetName): string {
  return fileURLToPath(import.meta.resolve(ASSETS[name]));
}
