import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { dependency } from "../../src/platform/depends.ts";
import { AppError } from "../../src/platform/errors.ts";
import { rawBody } from "../../src/platform/raw-body.ts";
import {
  bytes,
  type Content,
  empty,
  events,
  file,
  stream,
  text,
} from "../../src/platform/responses.ts";
import { defineRoute, redirect, reply, type Route } from "../../src/platform/route.ts";
import { createTestApp } from "../support.ts";
import { expectNothingLeft, type Shot } from "./hammer.ts";

const folder = await mkdtemp(join(tmpdir(), "leak-"));
await writeFile(join(folder, "a.txt"), "hello");

function answering(response: Content | z.ZodType, handler: () => unknown, status = 200): Route {
  return defineRoute({
    method: "GET",
    path: "/answer",
    summary: "Answer",
    responses: { [status]: response },
    handler: handler as never,
  });
}

async function* letters(): AsyncGenerator<string> {
  yield "a";
  yield "b";
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield new Uint8Array(10_000);
    await delay(0);
  }
}

const get: Shot = { path: "/answer" };
const leaving: Shot = { ...get, leaves: true };
const post: Shot = {
  method: "POST",
  path: "/echo",
  headers: { "content-type": "application/json" },
  body: '{"a":1}',
};
const echo = defineRoute({
  method: "POST",
  path: "/echo",
  summary: "Echo",
  body: z.object({ a: z.number() }),
  responses: { 200: z.object({ a: z.number() }) },
  handler: ({ body }) => body,
});

let opened = 0;
const counted = dependency({ open: () => void (opened += 1), close: () => void (opened -= 1) });

test.each<[name: string, route: Route, status: number, shot: Shot]>([
  ["JSON", answering(z.object({}), () => ({})), 200, get],
  ["JSON later", answering(z.object({}), async () => (await delay(0), {})), 200, get],
  ["text", answering(text(), () => "a"), 200, get],
  ["bytes", answering(bytes(), () => Buffer.from("a")), 200, get],
  ["a Node stream", answering(stream(), () => Readable.from(["a", "b"])), 200, get],
  ["a web stream", answering(stream(), () => new Response("a").body), 200, get],
  ["an async iterable", answering(stream(), letters), 200, get],
  ["a stream for HEAD", answering(stream(), letters), 200, { ...get, method: "HEAD" }],
  [
    "events",
    answering(events(), async function* () {
      yield { data: 1 };
    }),
    200,
    get,
  ],
  ["a file", answering(file(), () => join(folder, "a.txt")), 200, get],
  ["a missing file", answering(file(), () => join(folder, "b.txt")), 404, get],
  ["a redirect", answering(empty(), () => redirect("/", 303), 303), 303, get],
  ["304", answering(empty(), () => reply(304, undefined, { etag: '"1"' }), 304), 304, get],
  [
    "an error",
    answering(z.object({}), () => Promise.reject(new AppError("CONFLICT", "a"))),
    409,
    get,
  ],
  ["a bug", answering(z.object({}), () => Promise.reject(new Error("a"))), 500, get],
  ["no route", echo, 404, { path: "/nowhere" }],
  ["a wrong method", echo, 405, { path: "/echo" }],
  ["a body", echo, 200, post],
  ["a body that is refused", echo, 400, { ...post, body: "{}" }],
  ["a body that is no JSON", echo, 400, { ...post, body: "{" }],
  ["a body of another type", echo, 415, { ...post, headers: { "content-type": "text/plain" } }],
  [
    "raw bytes",
    defineRoute({
      ...echo,
      body: rawBody({ limit: 100, contentTypes: ["application/json"] }),
      async handler({ body }) {
        for await (const _part of body);
        return { a: 1 };
      },
    }),
    200,
    post,
  ],
  ["dependencies", { ...echo, depends: { counted } }, 200, post],
  [
    "dependencies of a refused body",
    { ...echo, depends: { counted } },
    400,
    { ...post, body: "{}" },
  ],
  ["a stream whose client leaves", answering(stream(), endless), 200, leaving],
  [
    "events whose client leaves",
    answering(events(), async function* () {
      for (;;) {
        yield { data: "x".repeat(1_000) };
        await delay(1);
      }
    }),
    200,
    leaving,
  ],
])("nothing is left of %s", async (_name, route, status, shot) => {
  await using app = await createTestApp({ routes: [route] });
  await expectNothingLeft(app, shot, status);
  await expect.poll(() => opened).toBe(0);
});
