import { extname, join } from "node:path";
import net from "node:net";

// The first lines must load on any Node, so that an old one is told what is missing.
if (!("BoundSocket" in net)) {
  process.stderr.write(
    `error: this service needs Node.js 26.4 or newer, or 24.21 or newer in the 24 line; this is ${process.version}\n`,
  );
  process.exit(3);
}

// V8's compiled code is kept beside the build: the next start need not compile it again. The image is built with it.
if (import.meta.filename.endsWith(".js")) {
  process.getBuiltinModule("node:module").enableCompileCache(join(import.meta.dirname, ".cache"));
}

const { start } = await import("./platform/lifespan/start.ts");
const config = new URL(`./cluster.config${extname(import.meta.filename)}`, import.meta.url);

// Each process loads only what it needs: the primary never loads the app, nor does the one for background work.
const exitCode = await start({
  main: import.meta.filename,
  clusterConfig: async (query) => (await import(`${config.href}${query}`)).default,
  settings: () => import("./settings.ts"),
  integrationSettings: () => import("./integrations/settings.ts"),
  integrations: () => import("./integrations/index.ts"),
  deps: () => import("./deps.ts"),
  app: () => import("./app.ts"),
});
process.exit(exitCode);
