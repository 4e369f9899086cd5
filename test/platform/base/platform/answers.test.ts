import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, request as open } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { dependency } from "../../src/platform/depends.ts";
import { exchangeOf } from "../../src/platform/http/exchange.ts";
import {
  bytes,
  type Content,
  empty,
  events,
  file,
  type ServerEvent,
  type Source,
  stream,
  text,
} from "../../src/platform/responses.ts";
import { defineRoute, redirect, reply, type Route } from "../../src/platform/route.ts";
import { observedApp, type ObservedApp } from "./observed-app.ts";

/** A route that answers what `handler` gives. */
function answering(
  response: Content | z.ZodType,
  handler: (input: never) => unknown,
  path = "/answer",
  status = 200,
): Route {
  return defineRoute({
    method: "GET",
    path,
    summary: "Answer",
    responses: { [status]: response },
    handler: handler as never,
  });
}

async function ask(route: Route, headers: Record<string, string> = {}, method = "GET") {
  await using app = await observedApp({ routes: [route] });
  const response = await app.inject({ method, url: "/answer", headers });
  await app.check(response, { status: response.statusCode, method, route: "/answer" });
  return response;
}

/** A request whose answer is read by hand. */
async function begin(
  app: ObservedApp,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ response: IncomingMessage; leave: () => void }> {
  const sent = open(app.url + path, { headers: { "x-request-id": "r-open", ...headers } }).end();
  sent.on("error", () => {});
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.on("error", () => {});
  return { response, leave: () => void sent.destroy() };
}

/** Waits until a count stands still: what makes it was held up. */
async function untilSame(count: () => number): Promise<void> {
  let before = -1;
  while (count() !== before) {
    before = count();
    await delay(100);
  }
}

async function* letters(): AsyncGenerator<string> {
  yield "a";
  await delay(1);
  yield "é";
}

const web = (): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("aé"));
      controller.close();
    },
  });

const plain = "text/plain; charset=utf-8";

const ways: [
  name: string,
  response: Content | z.ZodType,
  give: () => unknown,
  body: string,
  type: string,
][] = [
  ["text", text(), () => "aé", "aé", plain],
  ["text of another type", text("text/csv"), () => "a,b", "a,b", "text/csv; charset=utf-8"],
  ["empty text", text(), () => "", "", plain],
  ["bytes", bytes("image/png"), () => Buffer.from("aé"), "aé", "image/png"],
  ["a Uint8Array", bytes(), () => new TextEncoder().encode("aé"), "aé", "application/octet-stream"],
  ["a Node stream", stream("text/csv"), () => Readable.from(["a", "é"]), "aé", "text/csv"],
  [
    "a Node stream of bytes",
    stream(),
    () => Readable.from([Buffer.from("aé")], { objectMode: false }),
    "aé",
    "application/octet-stream",
  ],
  ["a web stream", stream(), web, "aé", "application/octet-stream"],
  [
    "the body of a fetch",
    stream(),
    () => new Response("aé").body,
    "aé",
    "application/octet-stream",
  ],
  ["an async iterable", stream(), letters, "aé", "application/octet-stream"],
  ["an empty stream", stream(), () => Readable.from([]), "", "application/octet-stream"],
  ["JSON", z.object({ a: z.number() }), () => ({ a: 1 }), '{"a":1}', "application/json"],
  ["JSON null", z.null(), () => null, "null", "application/json"],
  ["a JSON string", z.string(), () => "aé", '"aé"', "application/json"],
  ["an empty JSON string", z.string(), () => "", '""', "application/json"],
  ["a JSON number", z.number(), () => 0, "0", "application/json"],
  ["a JSON boolean", z.boolean(), () => false, "false", "application/json"],
  ["a JSON array", z.array(z.int()), () => [1, 2], "[1,2]", "application/json"],
];

describe.each(ways)("%s", (_name, response, give, body, type) => {
  test.each([["at once"], ["later"]])(
    "is answered %s, with its type and its bytes counted",
    async (when) => {
      let exchange: ReturnType<typeof exchangeOf>;
      const route = answering(response, async () => {
        if (when === "later") await delay(1);
        return give();
      });
      await using app = await observedApp({
        routes: [when === "later" ? route : { ...route, handler: give }],
      });
      app.server.prependListener("request", (req) => (exchange = exchangeOf(req)));
      app.server.on("request", (req) => (exchange ??= exchangeOf(req)));
      const got = await app.inject({ url: "/answer" });
      expect([got.body, got.headers["content-type"]]).toEqual([body, type]);
      await app.check(got, { status: 200, route: "/answer" });
      expect(exchange!.bytesSent).toBe(Buffer.byteLength(body));
    },
  );

  test("has no body for HEAD", async () => {
    const got = await ask(answering(response, give), {}, "HEAD");
    expect([got.statusCode, got.body, got.headers["content-type"]]).toEqual([200, "", type]);
  });
});

describe("an answer without a body", () => {
  test("204", async () => {
    const response = await ask(answering(empty(), () => undefined, "/answer", 204));
    expect(response.statusCode).toBe(204);
    expect(response.headers).not.toHaveProperty("content-length");
    expect(response.headers).not.toHaveProperty("content-type");
  });

  test("304 has its ETag and no Content-Length", async () => {
    const route = answering(empty(), () => reply(304, undefined, { ETag: '"1"' }), "/answer", 304);
    const response = await ask(route);
    expect([response.statusCode, response.headers.etag]).toEqual([304, '"1"']);
    expect(response.headers).not.toHaveProperty("content-length");
    expect(response.headers).not.toHaveProperty("transfer-encoding");
  });

  test.each([301, 302, 303, 307, 308] as const)("%i redirects", async (status) => {
    const route = answering(empty(), () => redirect("/häuser?a=b%20c", status), "/answer", status);
    const response = await ask(route);
    expect([response.statusCode, response.headers.location]).toEqual([
      status,
      "/h%C3%A4user?a=b%20c",
    ]);
    expect(response.headers["content-length"]).toBe("0");
  });
});

describe("a reply's own headers", () => {
  test("several cookies", async () => {
    const route = answering(z.object({}), () => reply(200, {}, { "Set-Cookie": ["a=1", "b=2"] }));
    expect((await ask(route)).headers["set-cookie"]).toEqual(["a=1", "b=2"]);
  });

  test.each(["Content-Type", "content-type", "CONTENT-TYPE"])("%s wins, once", async (name) => {
    const route = answering(z.unknown(), () => reply(200, "a,b", { [name]: "text/csv" }));
    const response = await ask(route);
    expect([response.body, response.headers["content-type"]]).toEqual(["a,b", "text/csv"]);
  });

  test("a type of JSON's keeps the JSON", async () => {
    const type = "application/problem+json";
    const route = answering(z.unknown(), () => reply(200, "text", { "content-type": type }));
    const response = await ask(route);
    expect([response.body, response.headers["content-type"]]).toEqual(['"text"', type]);
  });

  test("a type of its own for declared bytes", async () => {
    const route = answering(bytes(), () =>
      reply(200, Buffer.from("a"), { "content-type": "image/gif" }),
    );
    expect((await ask(route)).headers["content-type"]).toBe("image/gif");
  });
});

test.each<[string, Content | z.ZodType, () => unknown]>([
  ["text", text(), () => 7],
  ["bytes", bytes(), () => "text"],
  ["a stream", stream(), () => "text"],
  ["a file", file(), () => undefined],
  ["an object", z.object({ a: z.string() }), () => ({})],
])("a handler that gives something else than %s is a 500", async (_name, response, give) => {
  const got = await ask(answering(response, give));
  expect(got.statusCode).toBe(500);
});

describe("a file", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "answers-"));
    await writeFile(join(folder, "a b%.csv"), "a,b,c");
    await writeFile(join(folder, "no-extension"), "a,b,c");
    await writeFile(join(folder, "empty.txt"), "");
  });
  afterAll(() => rm(folder, { recursive: true }));

  const serving = (name: string, response = file()): Route =>
    answering(response, () => join(folder, name));

  test("has type, length, ETag and Last-Modified", async () => {
    const { body, headers } = await ask(serving("a b%.csv"));
    expect(body).toBe("a,b,c");
    expect(headers).toMatchObject({
      "content-type": "text/csv; charset=utf-8",
      "content-length": "5",
      "accept-ranges": "bytes",
      etag: expect.any(String),
      "last-modified": expect.any(String),
    });
  });

  test("has the declared type", async () => {
    const { headers } = await ask(serving("no-extension", file("application/x-own")));
    expect(headers["content-type"]).toBe("application/x-own");
  });

  test("may be empty", async () => {
    const { statusCode, headers } = await ask(serving("empty.txt"));
    expect([statusCode, headers["content-length"]]).toEqual([200, "0"]);
  });

  test("in part", async () => {
    const { statusCode, body, headers } = await ask(serving("a b%.csv"), { range: "bytes=2-" });
    expect([statusCode, body, headers["content-range"]]).toEqual([206, "b,c", "bytes 2-4/5"]);
  });

  test("is not there at that range", async () => {
    const { statusCode, headers } = await ask(serving("a b%.csv"), { range: "bytes=9-" });
    expect([statusCode, headers["content-range"]]).toEqual([416, "bytes */5"]);
  });

  test("has not changed", async () => {
    const first = await ask(serving("a b%.csv"));
    const headers = { "if-none-match": String(first.headers.etag) };
    const second = await ask(serving("a b%.csv"), headers);
    expect([second.statusCode, second.body]).toEqual([304, ""]);
    expect(second.headers).not.toHaveProperty("content-length");
    const since = { "if-modified-since": String(first.headers["last-modified"]) };
    expect((await ask(serving("a b%.csv"), since)).statusCode).toBe(304);
    const failed = await ask(serving("a b%.csv"), { "if-match": '"other"' });
    expect(failed.statusCode).toBe(412);
  });

  test("HEAD", async () => {
    const { body, headers } = await ask(serving("a b%.csv"), {}, "HEAD");
    expect([body, headers["content-length"]]).toEqual(["", "5"]);
  });

  test.each(["missing.csv", ".", "a b%.csv/x"])("%s is 404", async (name) => {
    const response = await ask(serving(name));
    expect([response.statusCode, response.json().error.code]).toEqual([404, "NOT_FOUND"]);
    expect(response.body).not.toContain(folder);
  });
});

describe("a stream", () => {
  test("that fails before its first byte is an error answer", async () => {
    const response = await ask(
      answering(stream(), () => ({
        [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("secret")) }),
      })),
    );
    expect(response.statusCode).toBe(500);
    expect(response.json().error.code).toBe("INTERNAL_ERROR");
  });

  test("that fails later breaks the answer off, and the log says it", async () => {
    const route = answering(stream(), async function* () {
      yield "a";
      await delay(5);
      throw new Error("the reason");
    });
    await using app = await observedApp({ routes: [route] });
    const headers = { "x-request-id": "r-broken" };
    await expect(app.inject({ url: "/answer", headers })).rejects.toThrow("aborted");
    await app.check(undefined, { status: 500, route: "/answer", requestId: "r-broken" });
    const lines = app.logs.filter(({ level }) => level === "error");
    expect(JSON.stringify(lines)).toContain("the reason");
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(app.logs)).not.toContain("the client went away");
  });

  test("that is closed half-way without an error is the service's fault too", async () => {
    const source = new PassThrough();
    const route = answering(stream(), () => {
      source.write("a");
      setTimeout(() => source.destroy(), 20);
      return source;
    });
    await using app = await observedApp({ routes: [route] });
    const headers = { "x-request-id": "r-broken" };
    await expect(app.inject({ url: "/answer", headers })).rejects.toThrow("aborted");
    await app.check(undefined, { status: 500, route: "/answer", requestId: "r-broken" });
    expect(app.logs.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test.each<[string, () => Source | Promise<Source>]>([
    ["is destroyed", () => new PassThrough().destroy()],
    [
      "has failed",
      async () => {
        const source = new PassThrough().on("error", () => {}).destroy(new Error("before"));
        await delay(1);
        return source;
      },
    ],
    [
      "was read",
      async () => {
        const source = Readable.from(["a"]).resume();
        await once(source, "end");
        return source;
      },
    ],
    [
      "is destroyed before its first byte",
      () => {
        const source = new PassThrough();
        setTimeout(() => source.destroy(), 5);
        return source;
      },
    ],
    ["gives objects", () => Readable.from([{ a: 1 }])],
    ["gives objects, and is none of Node's", () => [{ a: 1 }] as never],
  ])("that %s is an error answer, and the log says it", async (_name, give) => {
    await using app = await observedApp({ routes: [answering(stream(), give)] });
    const response = await app.inject({ url: "/answer" });
    await app.check(response, { status: 500, route: "/answer", code: "INTERNAL_ERROR" });
    expect(app.logs.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("of Node's may be of strings, and empty", async () => {
    const response = await ask(answering(stream(), () => Readable.from(["a", "", "b"])));
    expect(response.body).toBe("ab");
    expect((await ask(answering(stream(), () => Readable.from([])))).statusCode).toBe(200);
  });

  test.each([
    ["a Node stream", (chunks: AsyncIterable<Uint8Array>) => Readable.from(chunks)],
    ["an async iterable", (chunks: AsyncIterable<Uint8Array>) => chunks],
    ["a web stream", (chunks: AsyncIterable<Uint8Array>) => ReadableStream.from(chunks)],
  ])(
    "from %s is read only as fast as the client takes it, and ended when it leaves",
    async (_name, wrap) => {
      let made = 0;
      let ended = false;
      const signals: AbortSignal[] = [];
      async function* chunks(): AsyncGenerator<Uint8Array> {
        try {
          for (;;) {
            made += 1;
            yield new Uint8Array(65_536);
          }
        } finally {
          ended = true;
        }
      }
      const route = answering(stream(), ({ signal }: { signal: AbortSignal }) => {
        signals.push(signal);
        return wrap(chunks());
      });
      await using app = await observedApp({ routes: [route] });
      const { response, leave } = await begin(app, "/answer");
      response.pause();
      await untilSame(() => made);
      // Buffers of the sockets, in the kernel.
      expect(made).toBeLessThan(200);
      leave();
      await app.check(undefined, { status: 499, route: "/answer", requestId: "r-open" });
      await expect.poll(() => ended).toBe(true);
      expect(signals[0]!.aborted).toBe(true);
      expect(app.logs.filter(({ level }) => level === "error")).toEqual([]);
    },
  );
});

describe("server-sent events", () => {
  const tick = z.object({ n: z.int() });

  function counting(options: { heartbeat?: number } = {}, pause = 5): Route {
    return defineRoute({
      method: "GET",
      path: "/events",
      summary: "Count",
      headers: z.object({ "last-event-id": z.coerce.number().default(0) }),
      responses: { 200: events(tick, options) },
      async *handler({ headers, signal }) {
        for (let n = headers["last-event-id"] + 1; !signal.aborted; n += 1) {
          yield { id: String(n), event: "tick", data: { n }, retry: 500 };
          await delay(pause, undefined, { signal }).catch(() => {});
        }
      },
    });
  }

  async function read(response: IncomingMessage, until: string): Promise<string> {
    let got = "";
    for await (const chunk of response.iterator({ destroyOnReturn: false })) {
      got += String(chunk);
      if (got.includes(until)) break;
    }
    return got;
  }

  test("have id, name, data and retry, and go on after Last-Event-ID", async () => {
    await using app = await observedApp({ routes: [counting()] });
    const { response, leave } = await begin(app, "/events", { "last-event-id": "7" });
    expect(response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
      "x-request-id": "r-open",
    });
    const got = await read(response, "id: 9");
    expect(got).toContain('id: 8\nevent: tick\nretry: 500\ndata: {"n":8}\n\n');
    leave();
    await app.check(undefined, { status: 499, route: "/events", requestId: "r-open" });
  });

  test("are kept alive by comments", async () => {
    expect.hasAssertions();
    await using app = await observedApp({ routes: [counting({ heartbeat: 0.02 }, 60_000)] });
    const { response, leave } = await begin(app, "/events");
    await read(response, ": heartbeat\n\n: heartbeat\n\n");
    leave();
    await app.check(undefined, { status: 499, route: "/events", requestId: "r-open" });
  });

  test("end in a drain, whole", async () => {
    await using app = await observedApp({ routes: [counting()] });
    const { response } = await begin(app, "/events");
    await read(response, "id: 2");
    app.service.beginDrain({ stopping: true });
    response.resume();
    await once(response, "end");
    expect(response.complete).toBe(true);
    await app.check(undefined, { status: 200, route: "/events", requestId: "r-open" });
  });

  test("many at once end in a drain, and one that comes later at once", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    await using app = await observedApp({ routes: [counting({}, 60_000)] });
    const all = await Promise.all(Array.from({ length: 30 }, () => begin(app, "/events")));
    app.service.beginDrain({ stopping: true });
    await Promise.all(
      all.map(async ({ response }) => {
        response.resume();
        await once(response, "end");
      }),
    );
    expect((await app.inject({ url: "/events" })).body).toBe(": connected\n\n");
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  test("that end in a drain end their generator, and then its dependencies are closed", async () => {
    const order: unknown[] = [];
    const one = dependency({ open: () => 1, close: (_value, { error }) => void order.push(error) });
    const route = defineRoute({
      method: "GET",
      path: "/events",
      summary: "Wait",
      depends: { one },
      responses: { 200: events() },
      async *handler({ signal }) {
        yield { data: "a" };
        await once(signal, "abort");
        order.push("generator");
      },
    });
    await using app = await observedApp({ routes: [route] });
    const { response } = await begin(app, "/events");
    await read(response, "data: a");
    app.service.beginDrain({ stopping: true });
    response.resume();
    await expect.poll(() => order).toEqual(["generator", undefined]);
    await app.check(undefined, { status: 200, route: "/events", requestId: "r-open" });
  });

  test("with dependencies leave no warning behind when the client leaves", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    const one = dependency({ open: ({ signal }) => signal.aborted, close() {} });
    const route = { ...counting(), depends: { one } };
    await using app = await observedApp({ routes: [route] });
    const { response, leave } = await begin(app, "/events");
    await read(response, "id: 2");
    leave();
    await app.check(undefined, { status: 499, route: "/events", requestId: "r-open" });
    await delay(20);
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  test("end by themselves, also without any", async () => {
    const route = answering(events(), async function* (): AsyncGenerator<ServerEvent> {});
    const response = await ask(route);
    expect([response.statusCode, response.body]).toEqual([200, ": connected\n\n"]);
  });

  test("text of several lines, and line breaks where none may be", async () => {
    const route = answering(events(), async function* (): AsyncGenerator<ServerEvent> {
      yield { id: "1\ndata: forged", data: "a\r\nb\nc" };
      yield { data: { any: "thing" } };
    });
    const { body } = await ask(route);
    expect(body).toContain("id: 1 data: forged\ndata: a\ndata: b\ndata: c\n\n");
    expect(body).toContain('data: {"any":"thing"}\n\n');
  });

  test("that break their schema break the stream off", async () => {
    const route = answering(events(tick), async function* () {
      yield { data: { n: 1 } };
      yield { data: { n: "x" } };
    });
    await using app = await observedApp({ routes: [route] });
    const headers = { "x-request-id": "r-broken" };
    await expect(app.inject({ url: "/answer", headers })).rejects.toThrow("aborted");
    await app.check(undefined, { status: 500, route: "/answer", requestId: "r-broken" });
  });

  test("wait for a client that does not read, in bounded memory", async () => {
    let made = 0;
    let ended = false;
    const route = answering(events(), async function* (): AsyncGenerator<ServerEvent> {
      try {
        for (;;) {
          made += 1;
          yield { data: "x".repeat(65_536) };
        }
      } finally {
        ended = true;
      }
    });
    await using app = await observedApp({ routes: [route] });
    const { response, leave } = await begin(app, "/answer");
    response.pause();
    await untilSame(() => made);
    expect(made).toBeLessThan(200);
    leave();
    await app.check(undefined, { status: 499, route: "/answer", requestId: "r-open" });
    await expect.poll(() => ended).toBe(true);
  });
});

test.each([
  ["an answer", {}],
  ["no route", { url: "/nowhere" }],
  ["a body that is no JSON", { method: "POST", url: "/api/v1/receipts/points", payload: "{" }],
])("in a drain %s ends its connection", async (_name, request) => {
  await using app = await observedApp();
  app.service.beginDrain({ stopping: true });
  const headers = { connection: "keep-alive", "content-type": "application/json" };
  const url = "/api/v1/receipts/rules";
  expect((await app.inject({ url, headers, ...request })).headers.connection).toBe("close");
});

test("openapi.json names the media type of each answer", async () => {
  const routes = [
    answering(text("text/csv"), () => "", "/text"),
    answering(bytes("image/png"), () => Buffer.alloc(0), "/bytes"),
    answering(stream("application/zip"), letters, "/stream"),
    answering(events(z.object({ n: z.int() })), async function* () {}, "/events"),
    answering(file("application/pdf"), () => "", "/file"),
    answering(empty(), () => undefined, "/empty", 204),
  ];
  await using app = await observedApp({ routes });
  const { paths } = (await app.inject({ url: "/openapi.json" })).json();
  const content = (path: string, status = 200): object => paths[path].get.responses[status].content;
  expect(Object.keys(content("/text"))).toEqual(["text/csv"]);
  expect(Object.keys(content("/bytes"))).toEqual(["image/png"]);
  expect(Object.keys(content("/stream"))).toEqual(["application/zip"]);
  expect(Object.keys(content("/events"))).toEqual(["text/event-stream"]);
  expect(Object.keys(content("/file"))).toEqual(["application/pdf"]);
  expect(content("/empty", 204)).toBeUndefined();
});
