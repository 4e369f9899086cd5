import { network } from "../../src/system/network.ts";
import { installGoProgram } from "./go.ts";
import { answers, scratchFolder, startServer } from "./server.ts";

/** A proxy in front of one server, which can be made to misbehave. */
export interface Proxy {
  port: number;
  /** Cuts all connections and refuses new ones. */
  down: () => Promise<void>;
  /** Every answer comes so much later. */
  slow: (milliseconds: number) => Promise<void>;
  /** Takes everything, and answers nothing. */
  hang: () => Promise<void>;
  /** Resets each connection as soon as it is used. */
  resetConnections: () => Promise<void>;
  /** Back to what it was. */
  heal: () => Promise<void>;
}

/** Toxiproxy: proxies that misbehave on command. */
export interface Toxiproxy extends AsyncDisposable {
  proxy: (name: string, upstreamPort: number) => Promise<Proxy>;
}

/** Its program; compiled once. */
export function installToxiproxy(): Promise<string> {
  const program = "github.com/Shopify/toxiproxy/v2/cmd/server";
  return installGoProgram(program, "v2.12.0", "proxies that misbehave, under a minute");
}

/** Starts it without any proxy. */
export async function startToxiproxy(): Promise<Toxiproxy> {
  const program = await installToxiproxy();
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratchFolder("toxiproxy"));
  const [port = 0] = await network.freePorts(1);
  const api = `http://127.0.0.1:${port}`;
  stack.use(
    await startServer({
      name: "toxiproxy",
      command: [program, "-host", "127.0.0.1", "-port", `${port}`],
      env: { LOG_LEVEL: "warn" },
      folder: folder.path,
      ready: () => answers(`${api}/version`, 200),
    }),
  );
  const resources = stack.move();
  return {
    proxy: (name, upstreamPort) => createProxy(api, name, upstreamPort),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function createProxy(api: string, name: string, upstreamPort: number): Promise<Proxy> {
  const [port = 0] = await network.freePorts(1);
  const upstream = `127.0.0.1:${upstreamPort}`;
  await send(api, "POST", "/proxies", { name, listen: `127.0.0.1:${port}`, upstream });
  const path = `/proxies/${name}`;
  let toxics: string[] = [];
  const toxic = async (type: string, attributes: object): Promise<void> => {
    await send(api, "POST", `${path}/toxics`, { name: type, type, attributes });
    toxics.push(type);
  };
  return {
    port,
    down: () => send(api, "POST", path, { enabled: false }),
    slow: (latency) => toxic("latency", { latency }),
    hang: () => toxic("timeout", { timeout: 0 }),
    resetConnections: () => toxic("reset_peer", { timeout: 0 }),
    heal: async () => {
      for (const type of toxics) await send(api, "DELETE", `${path}/toxics/${type}`);
      toxics = [];
      await send(api, "POST", path, { enabled: true });
    },
  };
}

async function send(api: string, method: string, path: string, body?: object): Promise<void> {
  const response = await fetch(`${api}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`toxiproxy: ${method} ${path}: ${text}`);
}
