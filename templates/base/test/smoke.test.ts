import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";

/** Ports that nobody listens on; all are held at once, or two could be the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

test("the service starts as in production, answers, and stops", async () => {
  const [PORT, METRICS_PORT] = await freePorts(2);
  // In a folder without an .env: what a developer has in it is not tested here.
  const service = spawn(process.execPath, [join(import.meta.dirname, "../src/main.ts")], {
    cwd: import.meta.dirname,
    env: { ...process.env, PORT: `${PORT}`, METRICS_PORT: `${METRICS_PORT}`, WEB_CONCURRENCY: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void service.kill("SIGKILL"));
  const exited = once(service, "exit");
  const log: string[] = [];
  for await (const line of createInterface(service.stdout)) {
    log.push(line);
    if (line.includes('"service ready"')) break;
  }
  expect(log.at(-1)).toContain('"service ready"');
  service.stdout.resume();

  const get = (port: number | undefined, path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  expect((await get(PORT, "/health")).status).toBe(200);
  // Outside systems need not be there: without them it is alive, but not ready.
  expect([200, 503]).toContain((await get(PORT, "/health/ready")).status);
  expect(await (await get(PORT, "/openapi.json")).json()).toHaveProperty("paths");
  expect(await (await get(METRICS_PORT, "/metrics")).text()).toContain("cluster_workers");

  service.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});
