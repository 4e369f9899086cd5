import { once } from "node:events";
import { request as send } from "node:http";
import { connect } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { openApiDocument } from "../../src/platform/http/openapi.ts";
import { rawBody } from "../../src/platform/raw-body.ts";
import { defineRoute } from "../../src/platform/route.ts";
import { createTestApp, errorOf, type TestApp } from "../support.ts";

const LIMIT = 4_194_304;

const countBytes = defineRoute({
  method: "PUT",
  path: "/bytes/{id}",
  summary: "Count bytes",
  params: z.object({ id: z.string().max(8) }),
  body: rawBody({ limit: LIMIT, contentTypes: ["image/png", "image/gif"] }),
  responses: { 200: z.object({ bytes: z.int(), type: z.string() }) },
  async handler({ body }) {
    let bytes = 0;
    for await (const chunk of body) bytes += (chunk as Buffer).length;
    return { bytes, type: body.contentType };
  },
});

const put = { method: "PUT", url: "/bytes/7" } as const;
const png = { "content-type": "image/png" };

function portOf(app: TestApp): number {
  return Number(new URL(app.url).port);
}

test("the handler gets the bytes as they came, and their type", async () => {
  await using app = await createTestApp({ routes: [countBytes] });
  const headers = { "content-type": "Image/PNG; q=1" };
  const response = await app.inject({ ...put, headers, payload: Buffer.from([0, 255, 10]) });
  expect(response.json()).toEqual({ bytes: 3, type: "image/png" });
});

test("no body is an empty one", async () => {
  await using app = await createTestApp({ routes: [countBytes] });
  const response = await app.inject({ ...put, headers: png });
  expect(response.json()).toEqual({ bytes: 0, type: "image/png" });
});

test.each([
  ["of another type", { "content-type": "text/plain" }, 415],
  ["of JSON", { "content-type": "application/json" }, 415],
  ["without a type", {}, 415],
  ["that is compressed", { ...png, "content-encoding": "gzip" }, 415],
  ["that says it is too large", { ...png, "content-length": String(LIMIT + 1) }, 413],
])("a body %s is refused", async (_name, headers, status) => {
  await using app = await createTestApp({ routes: [countBytes] });
  const response = await app.inject({ ...put, headers, payload: "{}" });
  expect(response.statusCode).toBe(status);
  expect(errorOf(response).request_id).toBe(response.headers["x-request-id"]);
});

test("the other parts of the request are checked as ever", async () => {
  await using app = await createTestApp({ routes: [countBytes] });
  const response = await app.inject({ ...put, url: "/bytes/much-too-long", headers: png });
  expect(errorOf(response).details).toMatchObject([{ field: "params.id" }]);
  expect((await app.inject({ ...put, url: "/bytes/", headers: png })).statusCode).toBe(404);
});

test("a body that turns out to be too large is refused, and the client hears of it", async () => {
  await using app = await createTestApp({ routes: [countBytes] });
  const socket = connect(portOf(app), "127.0.0.1");
  socket.write("PUT /bytes/7 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n");
  socket.write("Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n");
  const size = LIMIT / 2 + 1;
  for (let chunk = 0; chunk < 3; chunk += 1)
    socket.write(`${size.toString(16)}\r\n${"x".repeat(size)}\r\n`);
  socket.write("0\r\n\r\n");
  const answer = await readAll(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain('"code":"PAYLOAD_TOO_LARGE"');
});

test("a client is read from only as fast as the handler reads", async () => {
  const gate = Promise.withResolvers<void>();
  const slow = defineRoute({
    ...countBytes,
    async handler(input) {
      await once(input.body, "readable");
      await gate.promise;
      return countBytes.handler(input);
    },
  });
  await using app = await createTestApp({ routes: [slow] });
  const headers = { ...png, "content-length": LIMIT };
  const client = send({ port: portOf(app), method: "PUT", path: "/bytes/7", headers });
  const answer = once(client, "response");
  client.write(Buffer.alloc(LIMIT / 2));
  let drained = false;
  client.end(Buffer.alloc(LIMIT / 2), () => (drained = true));
  await delay(100);
  const before = drained;
  gate.resolve();
  const [response] = await answer;
  expect(JSON.parse(await readAll(response))).toMatchObject({ bytes: LIMIT });
  expect([before, drained]).toEqual([false, true]);
});

test("a client that goes away ends the body and the handler's signal", async () => {
  const seen = Promise.withResolvers<{ aborted: boolean; error: unknown }>();
  const started = Promise.withResolvers<void>();
  const route = defineRoute({
    ...countBytes,
    async handler(input) {
      const { signal } = input;
      input.body.once("readable", () => started.resolve());
      const error: unknown = await Promise.resolve(countBytes.handler(input)).catch((e) => e);
      await expect.poll(() => signal.aborted).toBe(true);
      seen.resolve({ aborted: signal.aborted, error });
      throw error;
    },
  });
  await using app = await createTestApp({ routes: [route] });
  const headers = { ...png, "content-length": LIMIT };
  const client = send({ port: portOf(app), method: "PUT", path: "/bytes/7", headers });
  client.on("error", () => {});
  client.write("some of it");
  await started.promise;
  client.destroy();
  expect(await seen.promise).toMatchObject({
    aborted: true,
    error: { message: "the client went away" },
  });
});

test("a handler that does not read answers all the same", async () => {
  const route = defineRoute({
    ...countBytes,
    handler: ({ body }) => ({ bytes: 0, type: body.contentType }),
  });
  await using app = await createTestApp({ routes: [route] });
  const headers = { ...png, "content-length": LIMIT };
  const client = send({ port: portOf(app), method: "PUT", path: "/bytes/7", headers });
  // The test ends before the client has sent all.
  client.on("error", () => {});
  client.end(Buffer.alloc(LIMIT));
  const [response] = await once(client, "response");
  expect(JSON.parse(await readAll(response))).toEqual({ bytes: 0, type: "image/png" });
});

test("openapi.json says what may be sent", () => {
  const service = { SERVICE_NAME: "demo", SERVICE_DESCRIPTION: "Demo", VERSION: "1.0.0" };
  const document = openApiDocument(service, [countBytes]) as {
    paths: Record<string, { put: { requestBody: unknown; responses: object } }>;
  };
  const { requestBody, responses } = document.paths["/bytes/{id}"]!.put;
  const schema = { type: "string", format: "binary", maxLength: LIMIT };
  expect(requestBody).toMatchObject({
    required: true,
    content: { "image/png": { schema }, "image/gif": { schema } },
  });
  expect(Object.keys(responses)).toEqual(["200", "400", "413", "415", "500"]);
});
