import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";

import type { Network } from "../ports.ts";

/** The loopback network of this machine. */
export const network: Network = {
  freePorts: async (count) => {
    // All are held at once, or the same port could be given twice.
    const servers = await Promise.all(Array.from({ length: count }, () => listen()));
    return await Promise.all(servers.map(({ port, close }) => close().then(() => port)));
  },
  request: async (method, url, body) => {
    try {
      const response = await fetch(url, {
        method,
        signal: AbortSignal.timeout(10_000),
        ...(body && { headers: { "content-type": body.type }, body: body.text }),
      });
      return { status: response.status, body: await response.text() };
    } catch {
      return undefined;
    }
  },
  wait: async (milliseconds, signal) => {
    await setTimeout(milliseconds, undefined, { signal }).catch(() => undefined);
  },
};

async function listen(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
