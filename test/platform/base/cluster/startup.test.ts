import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freePort, launch, start } from "./harness.ts";

async function occupy(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.unref();
}

/** The problems that a start is refused for. */
async function problemsOf(...args: Parameters<typeof launch>): Promise<unknown> {
  const running = await launch(...args);
  expect(await running.exited).toBe(3);
  await running.seen({ level: "fatal" });
  return running.lines.find(({ level }) => level === "fatal")!["problems"];
}

describe.concurrent("a start is refused with exit code 3 and the reason", () => {
  it("for every value that cannot be used", async () => {
    expect(
      await problemsOf(
        { options: { bind: "localhost" } },
        { WEB_CONCURRENCY: "many", TIMEOUT: "-1" },
      ),
    ).toEqual([
      'WEB_CONCURRENCY (workers): must be "auto" or a whole number from 1 to 512, got "many"',
      'TIMEOUT (timeout): must be a number of seconds from 0 to 86400, got "-1"',
      'BIND (bind): must be an IP address, got "localhost"',
    ]);
  });

  it("for budgets that contradict each other, naming both numbers", async () => {
    expect(await problemsOf({ options: { gracefulTimeout: 200, keepAlive: 30 } })).toEqual([
      expect.stringMatching(/^STOP_TIMEOUT: .* after 120 s, .* up to 205 s/),
      expect.stringMatching(/^KEEP_ALIVE: 30 s .* 60 s/),
    ]);
  });

  it("for a port that is in use", async () => {
    const port = await freePort();
    await occupy(port);
    expect(await problemsOf({}, { PORT: `${port}` })).toEqual([
      `PORT: port ${port} is in use by another process`,
    ]);
  });

  it("for a metrics port that is in use", async () => {
    const port = await freePort();
    await occupy(port);
    expect(await problemsOf({}, { METRICS_PORT: `${port}` })).toEqual([
      `METRICS_PORT: port ${port} is in use by another process`,
    ]);
  });

  it("for a pidfile of a process that runs; a stale one is taken over", async () => {
    const pidfile = join(tmpdir(), `cluster-${process.pid}-start.pid`);
    writeFileSync(pidfile, `${process.pid}\n`);
    expect(await problemsOf({ options: { pidfile } })).toEqual([
      `PIDFILE: ${pidfile} belongs to process ${process.pid}, which is running`,
    ]);
    writeFileSync(pidfile, "4000000\n");
    const running = await start({ options: { pidfile } });
    running.kill("SIGTERM");
    expect(await running.exited).toBe(0);
  });
});
