#!/usr/bin/env node
// Old syntax on purpose: this file must still parse on a Node that is too old for the rest.
"use strict";

var version = process.versions.node.split(".").map(Number);
// What the prompts ask for; odd versions are dead by the time anybody installs this.
var supported =
  version[0] >= 26 ||
  (version[0] === 24 && version[1] >= 15) ||
  (version[0] === 22 && version[1] >= 22);

if (supported) {
  require("./start.js");
} else {
  console.error(
    "error: create-fetch-service needs Node 22.22, 24.15 or newer, and this is Node " +
      process.versions.node,
  );
  process.exit(1);
}
