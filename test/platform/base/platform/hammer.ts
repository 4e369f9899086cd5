import { Agent, type ClientRequest, type IncomingMessage, request as open } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import type { TestApp } from "../support.ts";

/** How many requests are sent of each kind; a leaked exchange shows after some hundreds. LEAK_REQUESTS=200000 for a long run. */
const COUNT = Number(process.env.LEAK_REQUESTS ?? 500);
const CONNECTIONS = 16;
/** Far less than what a request leaves behind whose exchange is kept, and more than what caches grow by. */
const BYTES_EACH = 1_000;
const NOISE_BYTES = 2_000_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

export interface Shot {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** Leaves at the first byte of the answer. */
  leaves?: boolean;
}

/** Sends `shot` again and again, and expects that nothing is left of it. */
export async function expectNothingLeft(app: TestApp, shot: Shot, status: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const sendAll = async (count: number): Promise<void> => {
    let left = count;
    const sendSome = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        expect(await send(app, agent, shot)).toBe(status);
        app.logs.length = 0;
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, sendSome));
    await expect.poll(() => app.service.requestsInFlight(), { timeout: 10_000 }).toEqual([]);
    app.service.flush();
    app.logs.length = 0;
  };
  await sendAll(COUNT);
  const before = heapBytes();
  await sendAll(COUNT);
  const grown = heapBytes() - before;
  agent.destroy();
  expect(grown).toBeLessThan(NOISE_BYTES + BYTES_EACH * COUNT * 0.5);
  expect((await app.service.metrics.registry.metrics()).split("\n")).toContain(
    "http_server_active_requests 0",
  );
}

function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function send(app: TestApp, agent: Agent, shot: Shot): Promise<number> {
  const { method = "GET", path, headers = {}, body, leaves = false } = shot;
  return new Promise((resolve, reject) => {
    const sent: ClientRequest = open(app.url + path, { method, headers, agent });
    sent.on("error", (error) => (leaves ? resolve(0) : reject(error)));
    sent.on("response", (response: IncomingMessage) => {
      const { statusCode = 0 } = response;
      response.on("error", () => {});
      response.on("close", () => resolve(statusCode));
      if (leaves) response.once("data", () => sent.destroy());
      else response.resume();
    });
    sent.end(body);
  });
}
