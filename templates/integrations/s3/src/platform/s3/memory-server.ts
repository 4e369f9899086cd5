import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { MemoryStore } from "./memory-store.ts";

/** A store in memory whose URLs this machine can really open. */
export interface ServedStore {
  store: MemoryStore;
  close(): void;
}

/** Serves a store's objects on a port of this machine, as S3 does by its presigned URLs. */
export async function serveMemoryStore(): Promise<ServedStore> {
  const server = createServer((req, res) => answer(store, req, res));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = new MemoryStore(
    (sha256, _object, expiresAt) => `${origin}/${sha256}?expires=${expiresAt.getTime()}`,
  );
  return {
    store,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function answer(store: MemoryStore, ...[req, res]: Parameters<RequestListener>): void {
  const { pathname, searchParams } = new URL(req.url ?? "", "http://localhost");
  const object = store.get(pathname.slice(1));
  if (req.method !== "GET" && req.method !== "HEAD") return void res.writeHead(405).end();
  if (!(Number(searchParams.get("expires")) > Date.now())) return void res.writeHead(403).end();
  if (object === undefined) return void res.writeHead(404).end();
  res.writeHead(200, {
    "Content-Type": object.contentType,
    "Content-Length": object.bytes.length,
    // What somebody uploaded is never run as a page.
    "X-Content-Type-Options": "nosniff",
  });
  res.end(req.method === "HEAD" ? undefined : object.bytes);
}
