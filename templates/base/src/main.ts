import { join } from "node:path";
import net from "node:net";

// The first lines must load on any Node, so that an old one is told what is missing.
if (!("BoundSocket" in net)) {
  process.stderr.write(
    `error: this service needs Node.js 26.4 or newer, or 24.21 or newer in the 24 line; this is ${process.version}\n`,
  );
  process.exit(3);
}

// What V8 makes of the code is kept beside it: the next start need not compile it again. The image is built with it.
if (import.meta.filename.endsWith(".js")) {
  process.getBuiltinModule("node:module").enableCompileCache(join(import.meta.dirname, ".cache"));
}

const { start } = await import("./start.ts");
process.exit(await start(import.meta.filename));
