import { PassThrough } from "node:stream";
import compress from "@fastify/compress";
import rateLimit from "@fastify/rate-limit";
import { expect, test } from "vitest";
import { type App, createFastify } from "../../src/platform/app.ts";
import { createTestApp } from "../support.ts";
import { expectNothingLeft, type Shot } from "./hammer.ts";

const shot: Shot = { path: "/answer" };

test.each<[name: string, build: (app: App) => unknown, status: number, shot: Shot]>([
  ["a native answer", (app) => app.get("/answer", async () => ({})), 200, shot],
  ["a throw", (app) => app.get("/answer", () => Promise.reject(new Error("a"))), 500, shot],
  [
    "a limit's 429",
    async (app) => {
      await app.register(rateLimit, { max: 0 });
      app.get("/answer", async () => ({}));
    },
    429,
    shot,
  ],
  [
    "a compressed answer",
    async (app) => {
      await app.register(compress, { threshold: 1 });
      app.get("/answer", async () => ({ a: "x".repeat(100) }));
    },
    200,
    { ...shot, headers: { "accept-encoding": "gzip" } },
  ],
  [
    "a hook that answers",
    (app) => {
      app.addHook("onRequest", (_request, reply) => void reply.code(403).send({}));
      app.get("/answer", async () => ({}));
    },
    403,
    shot,
  ],
  [
    "a hijacked reply",
    (app) =>
      app.get("/answer", (_request, reply) => {
        reply.hijack();
        reply.raw.end("a");
      }),
    200,
    shot,
  ],
  [
    "a hijacked reply that is abandoned",
    (app) =>
      app.get("/answer", (_request, reply) => {
        reply.hijack();
        reply.raw.write("a");
      }),
    200,
    { ...shot, leaves: true },
  ],
  [
    "a stream that is abandoned",
    (app) =>
      app.get("/answer", (_request, reply) => {
        const never = new PassThrough();
        never.write("a");
        return reply.send(never);
      }),
    200,
    { ...shot, leaves: true },
  ],
])("nothing is left of %s", async (_name, build, status, given) => {
  await using app = await createTestApp({
    createApp: async (_deps, platform) => {
      const it = await createFastify(platform);
      await build(it);
      return it;
    },
  });
  await expectNothingLeft(app, given, status);
  expect(app.service.requestsInFlight()).toEqual([]);
});
