// Runs before dev, build and test, on whatever Node is first in PATH: hence the old syntax.
"use strict";

if (!("BoundSocket" in require("node:net"))) {
  process.stderr.write(
    "error: this service needs Node.js 26.4 or newer, or 24.21 or newer in the 24 line; this is " +
      process.version +
      ". `nvm install 26`, `fnm install 26` or https://nodejs.org has it.\n",
  );
  process.exitCode = 1;
}
