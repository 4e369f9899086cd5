import { connect } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { failureOf, request, start } from "./harness.ts";

/** The value of a metric in the text that Prometheus reads, as soon as it is `wanted`. */
async function metricBecomes(url: string, name: string, wanted: number): Promise<number> {
  for (;;) {
    const { body } = await request(`${url}/metrics`);
    const line = body.split("\n").find((text) => text.startsWith(`${name} `));
    const value = Number(line?.split(" ")[1]);
    if (value === wanted) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.concurrent("the metrics port", () => {
  it("sums over all workers, and the dead ones' counters stay", async () => {
    const running = await start({ options: { workers: 2 } });
    for (let count = 0; count < 20; count += 1) await request(running.url);
    expect(await metricBecomes(running.admin, "requests_total", 20)).toBe(20);
    expect(await metricBecomes(running.admin, "workers_here", 2)).toBe(2);
    process.kill(running.readyPids()[0]!, "SIGKILL");
    await running.seen({ message: "worker ready" }, 3);
    expect(await metricBecomes(running.admin, "workers_here", 2)).toBe(2);
    expect(await metricBecomes(running.admin, "requests_total", 20)).toBe(20);
  });

  it("counts the requests that a worker served until its last moment", async () => {
    const running = await start({ options: { maxRequests: 5 } });
    for (let count = 0; count < 5; count += 1) await request(running.url);
    await running.seen({ message: "worker exited" });
    expect(await metricBecomes(running.admin, "requests_total", 5)).toBe(5);
  });

  it("may listen on another address than the service", async () => {
    const running = await start({ options: { metricsBind: "127.0.0.2" } });
    const elsewhere = running.admin.replace("127.0.0.1", "127.0.0.2");
    expect((await request(`${elsewhere}/health`)).status).toBe(200);
    expect(await failureOf(request(`${running.admin}/health`))).toContain("ECONNREFUSED");
    expect((await request(running.url)).status).toBe(200);
  });

  it("tells readiness and health", async () => {
    const running = await start();
    expect(await metricBecomes(running.admin, "workers_here", 1)).toBe(1);
    const ready = await request(`${running.admin}/health/ready`);
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.body)).toEqual({ status: "ready", checks: { store: "healthy" } });
    expect(JSON.parse((await request(`${running.admin}/health`)).body)).toMatchObject({
      status: "healthy",
    });
  });

  it("answers anything else with the error body of the standard", async () => {
    const running = await start();
    const missing = await request(`${running.admin}/nothing`);
    expect(missing.status).toBe(404);
    expect(JSON.parse(missing.body)).toEqual({
      error: {
        code: "NOT_FOUND",
        message: expect.any(String),
        request_id: expect.any(String),
        timestamp: expect.stringMatching(/Z$/),
      },
    });
    const answer = await fetch(`${running.admin}/metrics`, {
      method: "POST",
      headers: { "x-request-id": "mine" },
    });
    expect(answer.headers.get("x-request-id")).toBe("mine");
    expect(answer.headers.get("x-correlation-id")).toBe("mine");
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, HEAD");
  });

  it.each(["", "Host: a\r\nHost: b\r\n"])("asks for one Host header, not '%s'", async (hosts) => {
    const running = await start();
    const socket = connect(Number(new URL(running.admin).port), "127.0.0.1");
    socket.write(`GET /health HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`);
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"VALIDATION_ERROR"');
  });
});
