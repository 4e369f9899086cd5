import { readFileSync } from "node:fs";

/** The folder that holds package.json: the same two levels up from src/platform and dist/platform. */
export const packageRoot = new URL("../../", import.meta.url);

const manifest = JSON.parse(readFileSync(new URL("package.json", packageRoot), "utf8")) as {
  name: string;
  version: string;
  description: string;
};

/** Name, version and description of this service: package.json is the only place they stand. */
export const { name, version, description } = manifest;
