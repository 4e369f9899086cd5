import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

/** A load balancer for TCP that can forget its connections without telling either side. */
export interface ForgetfulBalancer extends Disposable {
  port: number;
  /** What the connections made until now still send goes nowhere; new ones work. */
  forget: () => void;
}

export async function startForgetfulBalancer(upstream: number): Promise<ForgetfulBalancer> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(upstream, "127.0.0.1");
    near.pipe(far).pipe(near);
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
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
