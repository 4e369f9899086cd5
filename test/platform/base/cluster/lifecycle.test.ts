import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { behindShell, failureOf, gone, killGroup, launch, request, start } from "./harness.ts";

const canListSockets = spawnSync("ss", ["-V"]).status === 0;

describe.concurrent("a start", () => {
  it("brings up the workers, serves, and calls the hooks in order", async () => {
    const running = await start({ options: { workers: 2 } });
    expect((await request(running.url)).status).toBe(200);
    running.kill("SIGTERM");
    expect(await running.exited).toBe(0);
    const hooks = running.lines.filter(({ message }) => message === "hook");
    const names = hooks.map(({ hook }) => hook);
    expect(names.filter((name) => name !== "postFork")).toEqual([
      "onStarting",
      "preFork",
      "preFork",
      "whenReady",
      "workerExit",
      "workerExit",
      "onExit",
    ]);
    const inWorkers = hooks.filter(({ hook }) => hook === "postFork").map(({ pid }) => pid);
    expect(new Set(inWorkers)).toEqual(new Set(running.readyPids()));
    expect(inWorkers).toHaveLength(2);
  });

  it("writes a pidfile and removes it", async () => {
    const pidfile = join(tmpdir(), `cluster-${process.pid}-${Date.now()}.pid`);
    const running = await start({ options: { pidfile } });
    expect(Number(readFileSync(pidfile, "utf8"))).toBe(running.child.pid);
    running.kill("SIGTERM");
    await running.exited;
    expect(() => readFileSync(pidfile)).toThrow("ENOENT");
  });

  it("takes its numbers from the environment before the file", async () => {
    const running = await start({ options: { workers: 1 } }, { WEB_CONCURRENCY: "2" });
    expect(running.readyPids()).toHaveLength(2);
  });
});

describe.concurrent("a worker", () => {
  it("keeps connections longer than the load balancer does", async () => {
    const running = await start();
    const { headers } = await fetch(running.url);
    expect(headers.get("keep-alive")).toBe("timeout=65");
  });

  it.skipIf(!canListSockets)("lets as many connections wait as backlog says", async () => {
    const running = await start({ options: { backlog: 77 } });
    const { port } = new URL(running.url);
    const { stdout } = await promisify(execFile)("ss", ["-Hltn", `sport = :${port}`]);
    expect(stdout).toMatch(/^LISTEN +0 +77 /);
  });

  it("gets its share of the task's memory as heap", async () => {
    const metadata = createServer((_, res) => {
      res.end(JSON.stringify({ Limits: { CPU: 2, Memory: 2048 } }));
    }).listen(0, "127.0.0.1");
    await once(metadata, "listening");
    const { port } = metadata.address() as AddressInfo;
    const env = { ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${port}` };
    const running = await start({ options: { workers: "auto" } }, env);
    metadata.close();
    expect(running.readyPids()).toHaveLength(2);
    expect((await request(`${running.url}/flags`)).body).toContain("--max-old-space-size=716");
  });
});

describe.concurrent("TERM", () => {
  it("lets requests in flight finish, then closes the service and exits 0", async () => {
    const running = await start();
    const slow = request(`${running.url}/slow?ms=500`);
    await running.seen({ message: "slow request" });
    running.kill("SIGTERM");
    expect(await slow).toMatchObject({ status: 200, connection: "close" });
    expect(await running.exited).toBe(0);
    expect(running.lines.filter(({ message }) => message === "closed")).toHaveLength(1);
  });

  it("serves on for the deregistration delay, not ready", async () => {
    const running = await start({ options: { deregistrationDelay: 1 } });
    running.kill("SIGTERM");
    await running.seen({ message: "stopping" });
    expect((await request(`${running.admin}/health/ready`)).status).toBe(503);
    expect((await request(`${running.admin}/health`)).status).toBe(200);
    expect(await request(running.url)).toMatchObject({ status: 200, connection: "close" });
    expect(await running.exited).toBe(0);
  });

  it("is shortened by a second one", async () => {
    const running = await start({ options: { deregistrationDelay: 60 } });
    running.kill("SIGTERM");
    await running.seen({ message: "stopping", mode: "stop" });
    running.kill("SIGTERM");
    await running.seen({ message: "stopping", mode: "quick" });
    expect(await running.exited).toBe(0);
  });

  it("cuts what is still open after the graceful timeout", async () => {
    const running = await start({ options: { gracefulTimeout: 0.3 } });
    const slow = request(`${running.url}/slow?ms=60000`);
    const failed = failureOf(slow);
    await running.seen({ message: "slow request" });
    running.kill("SIGTERM");
    expect(await failed).toMatch(/socket hang up|ECONNRESET/);
    expect(await running.exited).toBe(0);
  });
});

describe.concurrent("TERM to npm", () => {
  it("that ends only the shell in between stops the service without losing a request", async () => {
    const running = await start({}, { npm_lifecycle_event: "start" }, behindShell);
    const slow = request(`${running.url}/slow?ms=1000`);
    await running.seen({ message: "slow request" });
    running.kill("SIGTERM");
    expect(await running.exited).toBe("SIGTERM");
    expect((await slow).status).toBe(200);
    await running.seen({ message: "stopped", exit_code: 0 });
  });
});

describe.concurrent("INT", () => {
  it("of a terminal, which reaches every process, stops quickly and cleanly", async () => {
    const running = await start({ options: { deregistrationDelay: 60, workers: 2 } });
    killGroup(running.child, "SIGINT");
    expect(await running.exited).toBe(0);
    expect(running.lines.filter(({ message }) => message === "closed")).toHaveLength(2);
  });

  it("given three times ends even requests in flight at once", async () => {
    const running = await start();
    const slow = request(`${running.url}/slow?ms=60000`);
    const failed = failureOf(slow);
    await running.seen({ message: "slow request" });
    running.kill("SIGINT");
    await running.seen({ message: "stopping", mode: "quick" });
    running.kill("SIGINT");
    await running.seen({ message: "stopping", mode: "kill" });
    expect(await failed).toMatch(/socket hang up|ECONNRESET/);
    expect(await running.exited).toBe(0);
  });

  it("during the start stops it", async () => {
    const running = await launch();
    await running.seen({ message: "starting" });
    running.kill("SIGINT");
    expect(await running.exited).toBe(0);
  });
});

describe.concurrent("a killed primary", () => {
  it("leaves no worker behind, and they finish their requests first", async () => {
    const running = await start();
    const slow = request(`${running.url}/slow?ms=400`);
    await running.seen({ message: "slow request" });
    running.kill("SIGKILL");
    expect((await slow).status).toBe(200);
    await Promise.all(running.readyPids().map(gone));
  });
});
