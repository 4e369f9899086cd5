import { Agent } from "node:http";
import { describe, expect, it } from "vitest";
import { failureOf, keepAsking, launch, request, start } from "./harness.ts";

describe.concurrent("a worker that dies", () => {
  it("is replaced, and no connection is refused meanwhile, even when it was the only one", async () => {
    const running = await start();
    process.kill(running.readyPids()[0]!, "SIGKILL");
    await running.seen({ message: "worker was killed with SIGKILL; out of memory?" });
    const { status, body } = await request(running.url);
    expect(status).toBe(200);
    // Its answer may be here before its line is.
    await running.seen({ message: "worker ready" }, 2);
    expect(Number(body)).toBe(running.readyPids()[1]);
  });

  it("of an exception logs one fatal line, and lets others finish", async () => {
    const running = await start();
    const slow = request(`${running.url}/slow?ms=300`);
    await running.seen({ message: "slow request" });
    await request(`${running.url}/throw`);
    const line = await running.seen({
      message: "uncaught exception: the worker exits when it is replaced",
    });
    expect(line).toMatchObject({ level: "fatal", error: { message: "boom" } });
    expect((await slow).status).toBe(200);
    expect(await running.seen({ message: "worker died: exit code 1" })).toMatchObject({
      reason: "crash",
    });
    await running.seen({ message: "worker ready" }, 2);
  });

  it("of a rejection that nobody handles does so, too", async () => {
    const running = await start();
    await request(`${running.url}/reject`);
    const line = await running.seen({ level: "fatal" });
    expect(line).toMatchObject({ origin: "unhandledRejection", error: { message: "boom" } });
    await running.seen({ message: "worker died: exit code 1", reason: "crash" });
  });

  it("of an exception serves until its replacement is ready", async () => {
    const running = await start();
    const [old] = running.readyPids();
    running.change({ boot: "throw" });
    await request(`${running.url}/throw`);
    await running.seen({ message: "replacing worker", reason: "crash" });
    // Two replacements do not start; meanwhile the service is whole.
    await running.seen({ message: "worker died: exit code 3", reason: "boot_failure" }, 2);
    expect(Number((await request(running.url)).body)).toBe(old);
    const slow = request(`${running.url}/slow?ms=1000`);
    await running.seen({ message: "slow request" });
    running.change({});
    await running.seen({ message: "worker ready" }, 2);
    expect(Number((await slow).body)).toBe(old);
    const death = await running.seen({ message: "worker died: exit code 1", reason: "crash" });
    expect(death["worker_pid"]).toBe(old);
    expect(Number((await request(running.url)).body)).toBe(running.readyPids()[1]);
  });

  it("of an exception loses no request of anyone else, time and again", async () => {
    const running = await start();
    const asking = [keepAsking(running), keepAsking(running, new Agent({ keepAlive: true }))];
    for (let death = 1; death <= 3; death += 1) {
      await request(`${running.url}/throw`);
      await running.seen({ message: "worker died: exit code 1" }, death);
    }
    for (const { stop } of asking) expect(await stop()).toBeGreaterThan(0);
    expect((await request(`${running.admin}/metrics`)).body).toContain(
      'cluster_worker_restarts_total{reason="crash"} 3',
    );
    const replaced = running.lines.filter(({ message }) => message === "worker spawned");
    expect(replaced).toHaveLength(4);
  });

  it("of an exception soon after every start is replaced ever more slowly", async () => {
    const running = await start({ boot: "crash-soon" });
    await running.seen({ message: "worker spawned" }, 5);
    const timesOf = (message: string): number[] =>
      running.lines
        .filter((line) => line.message === message)
        .map((line) => Date.parse(String(line["timestamp"])));
    const crashes = timesOf("replacing worker");
    const waits = timesOf("worker spawned").slice(1, 5);
    for (const [index, spawnedAt] of waits.entries()) {
      // Timers may be a little early.
      expect(spawnedAt - crashes[index]!).toBeGreaterThan(90 * 2 ** index);
    }
  });

  it("of an exception and then hangs is killed", async () => {
    const running = await start({ options: { timeout: 1 } });
    running.change({ boot: "throw" });
    await request(`${running.url}/throw`);
    void failureOf(request(`${running.url}/block`));
    await running.seen({ message: "worker died: signal SIGKILL", reason: "hang" });
    running.change({});
    await running.seen({ message: "worker ready" }, 2);
    expect((await request(running.url)).status).toBe(200);
  });

  it("of one exception after another exits at once", async () => {
    const running = await start();
    running.change({ boot: "throw" });
    await failureOf(request(`${running.url}/throw-in-a-loop`));
    await running.seen({ message: "worker died: exit code 1", reason: "crash" });
    running.change({});
    await running.seen({ message: "worker ready" }, 2);
    expect((await request(running.url)).status).toBe(200);
  });

  it("of an exception during a stop does not stop the stop", async () => {
    const running = await start({ options: { deregistrationDelay: 1 } });
    running.kill("SIGTERM");
    await running.seen({ message: "stopping" });
    await request(`${running.url}/throw`);
    expect(await running.exited).toBe(0);
    expect(running.lines).toContainEqual(
      expect.objectContaining({ message: "worker died: exit code 1", reason: "crash" }),
    );
    expect(running.lines.filter(({ message }) => message === "closed")).toHaveLength(1);
  });

  it("again and again is brought back ever more slowly, and the service stays up", async () => {
    const running = await start();
    for (let death = 1; death <= 3; death += 1) {
      await failureOf(request(`${running.url}/exit?code=1`));
      await running.seen({ message: "worker ready" }, death + 1);
    }
    expect((await request(running.url)).status).toBe(200);
    expect((await request(`${running.admin}/metrics`)).body).toContain(
      'cluster_worker_restarts_total{reason="crash"} 3',
    );
  });

  it("while starting stops the service with exit code 3", async () => {
    const running = await launch({ boot: "throw" });
    expect(await running.exited).toBe(3);
    expect(running.lines).toContainEqual(
      expect.objectContaining({ level: "fatal", message: "the service failed to start" }),
    );
  });

  it("of a signal while starting gets another try", async () => {
    const running = await launch({ boot: "block" });
    const { worker_pid: pid } = await running.seen({ message: "worker spawned" });
    running.change({});
    process.kill(Number(pid), "SIGKILL");
    await running.seen({ message: "service ready" });
    expect((await request(running.url)).status).toBe(200);
  });

  it("without a word while starting does so too", async () => {
    const running = await launch({ boot: "exit" });
    expect(await running.exited).toBe(3);
  });
});

describe.concurrent("a worker that hangs", () => {
  it.each([
    ["/block", "blockForever"],
    ["/regex", "backtrack"],
  ])("in %s is killed, and its stack and requests are logged", async (path, where) => {
    const running = await start({ options: { timeout: 1 } });
    const blocked = request(running.url + path, { headers: { "x-request-id": "stuck-1" } });
    const failed = failureOf(blocked);
    const line = await running.seen({ level: "error", reason: "hang" });
    expect(await failed).toMatch(/socket hang up|ECONNRESET/);
    const report = running.lines.find(({ stack }) => Array.isArray(stack))!;
    expect(JSON.stringify(report["stack"])).toContain("service.ts:");
    expect(JSON.stringify(report["stack"])).toContain(where);
    expect(JSON.stringify(report["stack"])).toMatch(/^\["[\w.]+ \(\S+\)"/);
    expect(report["request_ids"]).toEqual(["stuck-1"]);
    expect(line["signal"]).toBe("SIGKILL");
    await running.seen({ message: "worker ready" }, 2);
    expect((await request(running.url)).status).toBe(200);
    expect((await request(`${running.admin}/metrics`)).body).toMatch(
      /^cluster_worker_hangs_total [1-9]/m,
    );
  });

  it("while starting is killed after the boot timeout", async () => {
    const running = await launch({ boot: "block", options: { bootTimeout: 1 } });
    expect(await running.exited).toBe(3);
    const report = running.lines.find(({ stack }) => Array.isArray(stack))!;
    expect(report.message).toBe("worker killed: not ready within the boot time-out");
  });

  it("is left alone when the timeout is off", async () => {
    const running = await start({ options: { timeout: 0, workers: 2 } });
    void failureOf(request(`${running.url}/block`));
    // Before that, it might accept the next request, too.
    await running.seen({ message: "blocked" });
    expect((await request(`${running.admin}/health/ready`)).status).toBe(200);
    expect((await request(running.url)).status).toBe(200);
  });
});

describe.concurrent("a worker that grows", () => {
  it("beyond its memory limit finishes and is replaced", async () => {
    const running = await start({ options: { workerMemoryLimit: 300 } });
    await request(`${running.url}/grow?mib=300`);
    await running.seen({ message: "worker exited", reason: "memory" });
    expect((await request(running.url)).status).toBe(200);
  });
});
