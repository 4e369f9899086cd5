import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createService, runScript } from "../support/generated.ts";
import { type RunningService, startBuilt } from "../support/running-service.ts";
import { templates } from "../support/templates.ts";
import { addEchoRoutes } from "./parity/add-echo-routes.ts";
import { type RawRequest, rawRequests } from "./parity/raw-requests.ts";

// Far more than any machine needs: an answer that takes longer is none.
const NO_ANSWER_MS = 60_000;

const services: RunningService[] = [];

beforeAll(async () => {
  for (const { name } of templates.manifest.frameworks) {
    const directory = await createService(`parity-${name}`, ["--framework", name]);
    await addEchoRoutes(directory);
    await runScript(directory, "build");
    services.push(await startBuilt(directory, { SERVICE_NAME: "parity", WEB_CONCURRENCY: "1" }));
  }
});

afterAll(() => Promise.all(services.map((service) => service.stop())));

describe("every framework gives the same answer, header by header and byte by byte", () => {
  it.each(rawRequests.map((request, index) => ({ ...request, id: `r-${index}` })))(
    "$title",
    async (request) => {
      const [first, ...others] = await Promise.all(
        services.map((service) => answerOf(service, request)),
      );
      expect(first).toMatch(request.aborted === true ? /^\n\[closed\]$/ : /^HTTP\/1\.1 \d{3} /);
      expect(first).not.toMatch(/\[no answer\]$|^(?:x-powered-by|server):/im);
      for (const other of others) {
        expect(other).toBe(first);
      }
    },
  );
});

describe("every framework logs the same lines", () => {
  it("for each request", async () => {
    await Promise.all(services.map((service) => service.stop()));
    const [first, ...others] = services.map(({ log }) => linesById(log));
    expect(Object.keys(first ?? {}).length).toBeGreaterThan(300);
    for (const other of others) {
      expect(other).toEqual(first);
    }
  });
});

/** What the service sends back, without what differs from moment to moment. */
async function answerOf(
  { api }: RunningService,
  { id, chunks, aborted }: RawRequest & { id: string },
): Promise<string> {
  const socket = connect(Number(new URL(api).port), "127.0.0.1");
  await once(socket, "connect");
  const answer = readAll(socket);
  for (const chunk of chunks) {
    socket.write(withId(chunk, id));
    // So that each arrives by itself.
    await delay(chunks.length > 1 ? 50 : 0);
  }
  if (aborted === true) {
    await delay(200);
    socket.destroy();
  }
  return withSortedHeaders(await answer)
    .replaceAll(/^date: .*$/gm, "date: …")
    .replaceAll(/"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/g, '"timestamp":"…"')
    .replaceAll(UUID, "a-uuid");
}

/** Frameworks set headers in an order, and write their names in a case, of their own; neither means anything. */
function withSortedHeaders(answer: string): string {
  return answer.replaceAll(/(?<=HTTP\/1\.1 \d{3} .*\r\n)(?:[\w-]+: .*\r\n)+/gm, (headers) =>
    headers
      .split("\r\n")
      .map((line) => line.replace(/^[\w-]+/, (name) => name.toLowerCase()))
      .toSorted()
      .join("\r\n")
      .replace(/^\r\n/, "")
      .concat("\r\n"),
  );
}

function readAll(socket: Socket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  const finish = (ending: string) =>
    resolve(Buffer.concat(chunks).toString("latin1") + (ending && `\n[${ending}]`));
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("end", () => finish(""));
  socket.on("error", (error: NodeJS.ErrnoException) => finish(String(error.code)));
  socket.on("close", () => finish("closed"));
  socket.setTimeout(NO_ANSWER_MS, () => {
    finish("no answer");
    socket.destroy();
  });
  return promise;
}

function withId(chunk: string | Buffer, id: string): Buffer {
  const text = Buffer.from(chunk).toString("latin1");
  return Buffer.from(text.replaceAll("Host: ", `X-Request-ID: ${id}\r\nHost: `), "latin1");
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const MOMENTARY = ["timestamp", "duration_ms", "worker_pid", "trace_id", "span_id", "error"];

/** The log lines of each request; only those of requests, since processes come and go at their own pace. */
function linesById(log: string[]): Record<string, unknown[]> {
  const requests: Record<string, unknown[]> = {};
  for (const line of log.filter((text) => text.startsWith("{"))) {
    const fields = JSON.parse(line.replaceAll(UUID, "a-uuid")) as Record<string, unknown>;
    if (typeof fields["request_id"] === "string") {
      const kept = Object.entries(fields).filter(([name]) => !MOMENTARY.includes(name));
      // Access lines wait up to 100 ms for company, the others do not: only within each kind is the order told.
      const kind = fields["message"] === "request completed" ? "access" : "log";
      (requests[`${fields["request_id"]} ${kind}`] ??= []).push(Object.fromEntries(kept));
    }
  }
  return requests;
}
