"use strict";

const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

// A checkout runs its sources as they are; the published package has only the bundle.
const source = join(__dirname, "../src/cli/main.ts");

if (existsSync(source)) {
  import(pathToFileURL(source).href).then(({ main }) => main());
} else {
  require("../dist/main.cjs").main();
}
