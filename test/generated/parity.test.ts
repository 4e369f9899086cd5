import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { templates } from "../support/templates.ts";
import { type RawRequest, rawRequests } from "./parity/raw-requests.ts";
import { installService, type RunningService, startService } from "./parity/service.ts";

// Long enough for any machine: an answer that takes longer is none.
const NO_ANSWER = 30_000;
const frameworks = templates.manifest.frameworks.map(({ name }) => name);

let folder: string;
const services = new Map<string, RunningService>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parity-"));
  for (const framework of frameworks) {
    const service = join(folder, framework);
    await installService(service, framework);
    await cp(
      join(import.meta.dirname, "parity/echo-routes.ts"),
      join(service, "src/routes/echo.ts"),
    );
    services.set(framework, await startService(service));
  }
});

afterAll(async () => {
  await Promise.all([...services.values()].map((service) => service.stop()));
  await rm(folder, { recursive: true, force: true });
});

describe("every framework answers with the same bytes", () => {
  it.each(rawRequests.map((request, index) => ({ ...request, id: `r-${index}` })))(
    "$title",
    async (request) => {
      const [first, ...others] = await Promise.all(
        [...services.values()].map(({ port }) => answerOf(port, request)),
      );
      for (const other of others) {
        expect(other).toBe(first);
      }
    },
  );
});

describe("every framework logs the same lines", () => {
  it("for each request", async () => {
    const [first, ...others] = await Promise.all(
      [...services.values()].map(async (service) => linesById(await service.stop())),
    );
    expect(Object.keys(first ?? {}).length).toBeGreaterThan(300);
    for (const other of others) {
      expect(other).toEqual(first);
    }
  });
});

/** What the service sends back, without what differs from moment to moment. */
async function answerOf(port: number, request: RawRequest & { id: string }): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const answer = readAll(socket);
  for (const chunk of request.chunks) {
    socket.write(withId(chunk, request.id));
    await delay(request.chunks.length > 1 ? 50 : 0);
  }
  if (request.aborted === true) {
    await delay(200);
    socket.destroy();
  }
  return (await answer)
    .replaceAll(/^Date: .*$/gm, "Date: …")
    .replaceAll(/"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/g, '"timestamp":"…"')
    .replaceAll(UUID, "a-uuid");
}

function readAll(socket: Socket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  const finish = (ending: string) =>
    resolve(Buffer.concat(chunks).toString("latin1") + (ending && `\n[${ending}]`));
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("end", () => finish(""));
  socket.on("error", (error: NodeJS.ErrnoException) => finish(String(error.code)));
  socket.on("close", () => finish("closed"));
  socket.setTimeout(NO_ANSWER, () => {
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
function linesById(lines: string[]): Record<string, unknown[]> {
  const requests: Record<string, unknown[]> = {};
  for (const line of lines) {
    const fields = JSON.parse(line.replaceAll(UUID, "a-uuid")) as Record<string, unknown>;
    if (typeof fields["request_id"] === "string") {
      const kept = Object.entries(fields).filter(([name]) => !MOMENTARY.includes(name));
      (requests[fields["request_id"]] ??= []).push(Object.fromEntries(kept));
    }
  }
  return requests;
}
