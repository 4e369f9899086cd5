import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type ConnectionLimits, limitConnections } from "../../src/platform/http/connections.ts";
import { rawBody } from "../../src/platform/raw-body.ts";
import { events, text } from "../../src/platform/responses.ts";
import { defineRoute } from "../../src/platform/route.ts";
import { createTestApp, type TestApp } from "../support.ts";

const none = { headersTimeout: 0, requestTimeout: 0, stallTimeout: 0, maxConnections: 10_000 };
const STALL_MS = 500;

const routes = [
  defineRoute({
    method: "GET",
    path: "/large",
    summary: "Large",
    responses: { 200: text() },
    handler: () => "x".repeat(20_000_000),
  }),
  defineRoute({
    method: "GET",
    path: "/slow",
    summary: "Slow",
    responses: { 200: z.object({}) },
    async handler() {
      await delay(3 * STALL_MS);
      return {};
    },
  }),
  defineRoute({
    method: "GET",
    path: "/events",
    summary: "Events",
    responses: { 200: events(z.string()) },
    async *handler() {
      yield { data: "first" };
      await delay(3 * STALL_MS);
      yield { data: "last" };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/echo",
    summary: "Echo",
    body: z.object({ a: z.int() }),
    responses: { 200: z.object({ a: z.int() }) },
    handler: ({ body }) => body,
  }),
  defineRoute({
    method: "POST",
    path: "/late",
    summary: "Read late",
    body: rawBody({ limit: 10_000_000, contentTypes: ["image/png"] }),
    responses: { 200: z.object({ bytes: z.int() }) },
    async handler({ body }) {
      await delay(3 * STALL_MS);
      let bytes = 0;
      for await (const part of body) bytes += (part as Buffer).length;
      return { bytes };
    },
  }),
];

async function limitedApp(limits: Partial<ConnectionLimits>): Promise<TestApp> {
  const app = await createTestApp({ routes });
  limitConnections(app.server, { ...none, ...limits }, app.service.deps.log);
  return app;
}

function open(app: TestApp, head = ""): Socket {
  const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
  socket.on("error", () => {});
  if (head !== "") socket.write(`${head}\r\nHost: a.example\r\n\r\n`);
  return socket;
}

function connections({ server }: TestApp): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  server.getConnections((_error, count) => resolve(count));
  return promise;
}

const messages = ({ logs }: TestApp): unknown[] => logs.map(({ message }) => message);

describe("a connection on which nothing moves", () => {
  const limits = { stallTimeout: STALL_MS / 1_000 };

  test("is closed when the client does not read its answers", async () => {
    await using app = await limitedApp(limits);
    let ended = 0;
    app.server.on("connection", (socket) => socket.once("close", () => (ended += 1)));
    const sockets = Array.from({ length: 4 }, () => {
      const socket = open(app);
      socket.pause().write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2));
      return socket;
    });
    await expect.poll(() => ended, { timeout: 60_000 }).toBe(4);
    // Not of each: one whose request a busy machine has not read in time is an idle one, and closed without a word.
    const message = "the client has stopped reading its answer: its connection is closed";
    expect(messages(app)).toContain(message);
    expect(app.service.requestsInFlight()).toEqual([]);
    for (const socket of sockets) socket.destroy();
  });

  test("is answered with 408 when the body stops half-way", async () => {
    await using app = await limitedApp(limits);
    const socket = open(
      app,
      "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9",
    );
    socket.write('{"a"');
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(answer).toContain('"REQUEST_TIMEOUT"');
    await expect.poll(() => app.service.requestsInFlight()).toEqual([]);
  });

  test("stays while the service takes its time", async () => {
    await using app = await limitedApp(limits);
    expect((await app.inject({ url: "/slow" })).statusCode).toBe(200);
    const stream = await app.inject({ url: "/events" });
    expect(stream.body).toMatch(/first[^]*last/);
    const late = await app.inject({
      method: "POST",
      url: "/late",
      headers: { "content-type": "image/png" },
      payload: Buffer.alloc(5_000_000),
    });
    expect(late.json()).toEqual({ bytes: 5_000_000 });
  });

  test("is closed when it was idle", async () => {
    await using app = await limitedApp(limits);
    app.server.keepAliveTimeout = 1;
    const socket = open(app, "GET /health HTTP/1.1");
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 200 /);
  });
});

test.each([
  ["announced", "Content-Length: 10000000000", (bytes: string) => bytes],
  ["in chunks", "Transfer-Encoding: chunked", (bytes: string) => `10000\r\n${bytes}\r\n`],
])("a refused body, %s, is not read to its end", async (_name, header, frame) => {
  await using app = await createTestApp({ routes });
  const socket = open(app, `POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n${header}`);
  const part = frame("x".repeat(65_536));
  const send = async (): Promise<void> => {
    while (!socket.destroyed) {
      if (!socket.write(part)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
      await delay(1);
    }
  };
  let answer = "";
  socket.on("data", (bytes) => (answer += String(bytes)));
  await send();
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
  await expect.poll(() => connections(app)).toBe(0);
  expect(app.service.requestsInFlight()).toEqual([]);
});

test("connections above the limit are closed at once, and that is logged once", async () => {
  await using app = await limitedApp({ maxConnections: 3 });
  const kept = Array.from({ length: 3 }, () => open(app));
  await expect.poll(() => connections(app)).toBe(3);
  await Promise.all(Array.from({ length: 5 }, () => once(open(app), "close")));
  expect(await connections(app)).toBe(3);
  expect(messages(app)).toEqual(["connections are closed at once: there are too many"]);
  for (const socket of kept) socket.destroy();
  await expect.poll(() => connections(app)).toBe(0);
  expect((await app.inject({ url: "/health" })).statusCode).toBe(200);
});
