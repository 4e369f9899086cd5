import { promises as fs } from "node:fs";
import { fileURLToPath } from "node:url";

/** The browser code of the documentation pages, by the name it is served under, and the package it comes from. */
export const ASSETS = {
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "redoc.standalone.js": "redoc/bundles/redoc.standalone.js",
} as const;

export type AssetName = keyof typeof ASSETS;

// Where the build puts the copies, beside the bundle, so that the two packages stay out of the image.
const builtAssets = new URL("assets/", import.meta.url);

// Redoc shows its makers' logo, from their CDN.
const REMOTE_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg";

/** Reads an asset: the build's copy, or in development the package's own file. */
export async function readAsset(name: AssetName): Promise<string> {
  try {
    return await fs.readFile(new URL(name, builtAssets), "utf8");
  } catch {
    return readPackageFile(name);
  }
}

/** Reads the file that an asset is made from, without the one picture that it would load from elsewhere. */
export async function readPackageFile(name: AssetName): Promise<string> {
  const text = await fs.readFile(fileURLToPath(import.meta.resolve(ASSETS[name])), "utf8");
  return text.replaceAll(REMOTE_LOGO, "data:,");
}
