// Writes the OpenAPI document that this service serves: `npm run openapi [FILE]`.
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { startWeb } from "../platform/lifespan/worker.ts";
import { createLogger } from "../platform/logging.ts";
import { loadSettings } from "../settings.ts";

const [file = "openapi.json"] = process.argv.slice(2);
const settings = loadSettings({ ...process.env, ENVIRONMENT: "dev", LOG_LEVEL: "error" });
const modules = { deps: () => import("../deps.ts"), app: () => import("../app.ts") };

// Asked over HTTP, so that routes of every kind are in it: declared, native, and those of plugins.
let log = "";
const logger = createLogger(settings, { write: (lines) => void (log += lines) });
const { server, close } = await startWeb(modules, settings, logger);
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
const response = await fetch(`http://127.0.0.1:${port}/openapi.json`);
const text = await response.text();
server.close();
await close();

if (!response.ok) {
  process.stderr.write(`error: there is no OpenAPI document: ${text}\n${log}`);
  process.exit(1);
}
await writeFile(file, `${JSON.stringify(JSON.parse(text), null, 2)}\n`);
process.stdout.write(`${file} written\n`);
process.exit(0);
