import { Agent } from "node:http";
import { describe, expect, it } from "vitest";
import { keepAsking, request, start } from "./harness.ts";

describe.concurrent("HUP", () => {
  it("replaces all workers without losing a request, new before old", async () => {
    const running = await start({ options: { workers: 2 } });
    const asking = [keepAsking(running), keepAsking(running, new Agent({ keepAlive: true }))];
    running.kill("SIGHUP");
    await running.seen({ message: "reload done: all workers are new" });
    await running.seen({ message: "worker exited", reason: "reload" }, 2);
    for (const { stop } of asking) expect(await stop()).toBeGreaterThan(0);
    const order = running.lines
      .map(({ message }) => message)
      .filter((message) => message === "worker ready" || message === "worker exited");
    expect(order.slice(2)).toEqual([
      "worker ready",
      "worker ready",
      "worker exited",
      "worker exited",
    ]);
  });

  it("keeps the old workers when a new one does not start", async () => {
    const running = await start();
    const old = running.readyPids();
    running.change({ boot: "throw" });
    running.kill("SIGHUP");
    await running.seen({
      message: "reload abandoned: a new worker failed to start; the old ones stay",
    });
    expect(old).toContain(Number((await request(running.url)).body));
    expect((await request(`${running.admin}/metrics`)).body).toContain(
      'cluster_reloads_total{result="failed"} 1',
    );
    // And once the release is mended, the next reload goes through.
    running.change({});
    running.kill("SIGHUP");
    await running.seen({ message: "reload done: all workers are new" });
  });

  it.each([
    { from: 2, to: 1 },
    { from: 1, to: 3 },
  ])("keeps $from workers when a reload to $to does not start", async ({ from, to }) => {
    const running = await start({ options: { workers: from } });
    const old = running.readyPids();
    running.change({ boot: "throw", options: { workers: to } });
    running.kill("SIGHUP");
    await running.seen({
      message: "reload abandoned: a new worker failed to start; the old ones stay",
    });
    running.change({ options: { workers: to } });
    // Whatever the abandoned reload may still cause comes before what this causes.
    running.kill("SIGTTIN");
    await running.seen({ message: "worker ready" }, from + 1);
    const { body } = await request(`${running.admin}/metrics`);
    expect(body).toContain(`cluster_workers_desired ${from + 1}`);
    expect(body).toContain(`cluster_workers{phase="ready"} ${from + 1}`);
    const dead = running.lines.filter(({ message }) => message.startsWith("worker exited"));
    expect(dead.filter((line) => old.includes(Number(line["worker_pid"])))).toEqual([]);
  });

  it("changes nothing when the configuration is bad", async () => {
    const running = await start();
    running.change({ options: { timeout: -1, workers: 0 } });
    running.kill("SIGHUP");
    const line = await running.seen({
      message: "reload abandoned: cluster.config is invalid; nothing has changed",
    });
    expect(JSON.stringify(line)).toMatch(/WEB_CONCURRENCY .*TIMEOUT /);
    expect((await request(running.url)).status).toBe(200);
  });

  it("takes up a new number of workers", async () => {
    const running = await start();
    running.change({ options: { workers: 2 } });
    running.kill("SIGHUP");
    await running.seen({ message: "reload done: all workers are new" });
    expect((await request(`${running.admin}/metrics`)).body).toContain("cluster_workers_desired 2");
  });
});

describe.concurrent("USR2", () => {
  it("replaces the workers one after the other", async () => {
    const running = await start({ options: { workers: 2 } });
    running.kill("SIGUSR2");
    await running.seen({ message: "reload done: all workers are new" });
    await running.seen({ message: "worker exited", reason: "restart" }, 2);
    const spawned = running.lines.flatMap(({ message }, at) =>
      message === "worker spawned" ? [at] : [],
    );
    const ready = running.lines.flatMap(({ message }, at) =>
      message === "worker ready" ? [at] : [],
    );
    expect(spawned[3]).toBeGreaterThan(ready[2] ?? Infinity);
  });
});

describe.concurrent("TTIN and TTOU", () => {
  it("add a worker and take one away, down to one", async () => {
    const running = await start();
    running.kill("SIGTTIN");
    await running.seen({ message: "worker ready" }, 2);
    running.kill("SIGTTOU");
    const { worker_pid: pid } = await running.seen({
      message: "worker exited",
      reason: "scale_down",
    });
    expect(pid).toBe(running.readyPids()[0]);
    running.kill("SIGTTOU");
    await running.seen({ signal: "SIGTTOU" }, 2);
    expect((await request(running.url)).status).toBe(200);
  });
});

describe.concurrent("a worker that has served enough", () => {
  it("is replaced after max requests without losing one", async () => {
    const running = await start({ options: { maxRequests: 20, maxRequestsJitter: 5 } });
    const asking = keepAsking(running, new Agent({ keepAlive: true }));
    await running.seen({ message: "worker exited", reason: "max_requests" });
    expect(await asking.stop()).toBeGreaterThanOrEqual(20);
  });

  it("is replaced when it asks to go because somebody sent it TERM", async () => {
    const running = await start();
    process.kill(running.readyPids()[0]!, "SIGTERM");
    await running.seen({ message: "worker exited", reason: "signal" });
    expect(running.readyPids()).toHaveLength(2);
  });
});
