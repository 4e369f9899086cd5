import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

/** A load balancer for TCP that can forget its connections without telling either side. */
export interface ForgetfulBalancer extends Disposable {
  port: number;
  /** What the connections made until now still send goes nowhere; new ones work. */
  forget: () => void;
  /** How many connections were made. */
  connections: () => number;
}

/** @param idleMs after which it forgets a connection over which nothing passes, by itself; never when left out. */
export async function startForgetfulBalancer(
  upstream: number,
  idleMs = 0,
): Promise<ForgetfulBalancer> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((near) => {
    connections += 1;
    const far = connect(upstream, "127.0.0.1");
    near.pipe(far).pipe(near);
    near.setTimeout(idleMs, () => [near, far].forEach((socket) => socket.unpipe().resume()));
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {}).on("close", () => open.delete(socket));
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    forget: () => {
      for (const socket of open) socket.unpipe().resume();
    },
    connections: () => connections,
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
