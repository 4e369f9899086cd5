import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { request, type Running, start } from "./harness.ts";

const background = { BACKGROUND: "1" };

function startWithWork(env: NodeJS.ProcessEnv = {}, options = {}): Promise<Running> {
  return start({ options }, { ...background, ...env });
}

/** The process id of the background worker that came up as the `nth`. */
async function workPid(running: Running, nth = 1): Promise<number> {
  const line = await running.seen({ message: "worker ready", role: "background" }, nth);
  return Number(line["worker_pid"]);
}

/** The metrics port's answer as soon as it matches. */
async function adminSays(running: Running, path: string, wanted: RegExp): Promise<string> {
  for (;;) {
    const { body } = await request(running.admin + path);
    if (wanted.test(body)) return body;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.concurrent("background work", () => {
  it("has a process of its own beside the workers, which takes no request", async () => {
    const running = await startWithWork({}, { workers: 2 });
    const ready = running.lines.filter(({ message }) => message === "worker ready");
    expect(ready).toHaveLength(3);
    expect(ready.filter(({ role }) => role === "background")).toHaveLength(1);
    const pid = await workPid(running);
    const answers = Array.from({ length: 20 }, async () => (await request(running.url)).body);
    expect(await Promise.all(answers)).not.toContain(String(pid));
  });

  it("is part of the metrics and of the readiness on the metrics port", async () => {
    const running = await startWithWork();
    expect(await adminSays(running, "/metrics", /^work_total 3$/m)).toMatch(
      /^cluster_workers_desired 2$/m,
    );
    const body = await adminSays(running, "/health/ready", /store.*work|work.*store/);
    expect(JSON.parse(body)).toEqual({
      status: "ready",
      checks: { store: "healthy", work: "healthy" },
    });
  });

  it("comes back when it dies, while the service serves on and stays ready", async () => {
    const running = await startWithWork();
    await adminSays(running, "/health/ready", /"ready"/);
    process.kill(await workPid(running), "SIGKILL");
    await running.seen({ message: "worker was killed with SIGKILL; out of memory?" });
    expect((await request(running.url)).status).toBe(200);
    expect((await request(`${running.admin}/health/ready`)).status).toBe(200);
    expect(await workPid(running, 2)).not.toBe(await workPid(running));
  });

  it("is killed and replaced when it hangs, with its stack in the log", async () => {
    const running = await startWithWork({}, { timeout: 1 });
    process.kill(await workPid(running), "SIGUSR2");
    const report = await running.seen({ level: "error", role: "background", reason: "hang" });
    expect(report["signal"]).toBe("SIGKILL");
    const stacks = running.lines.filter(({ stack }) => Array.isArray(stack));
    expect(JSON.stringify(stacks)).toContain("blockForever");
    await workPid(running, 2);
  });

  it("finishes before the service stops", async () => {
    const running = await startWithWork();
    running.kill("SIGTERM");
    expect(await running.exited).toBe(0);
    expect(running.lines.filter(({ message }) => message === "work finished")).toHaveLength(1);
  });

  it("is reloaded with the workers, and neither added to nor taken away by TTIN and TTOU", async () => {
    const running = await startWithWork();
    running.kill("SIGTTIN");
    await running.seen({ message: "worker ready", role: "web" }, 2);
    running.kill("SIGTTOU");
    await running.seen({ message: "worker exited", reason: "scale_down", role: "web" });
    running.kill("SIGHUP");
    await running.seen({ message: "reload done: all workers are new" });
    await running.seen({ message: "work finished" });
    expect(await workPid(running, 2)).not.toBe(await workPid(running));
  });

  it("shares the memory with the workers", async () => {
    const metadata = createServer((_, res) => {
      res.end(JSON.stringify({ Limits: { CPU: 2, Memory: 3_072 } }));
    }).listen(0, "127.0.0.1");
    await once(metadata, "listening");
    const { port } = metadata.address() as AddressInfo;
    const uri = `http://127.0.0.1:${port}`;
    const running = await startWithWork({ ECS_CONTAINER_METADATA_URI_V4: uri }, { workers: 2 });
    metadata.close();
    const share = "--max-old-space-size=716";
    expect((await request(`${running.url}/flags`)).body).toContain(share);
    running.kill("SIGTERM");
    const { flags } = await running.seen({ message: "work finished" });
    expect(flags).toContain(share);
  });
});
