import { readdir } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createService, runScript } from "../../support/generated.ts";
import { type RunningService, startBuilt } from "../../support/running-service.ts";
import { templates } from "../../support/templates.ts";
import { addEchoRoutes } from "../parity/add-echo-routes.ts";
import { type BadRequest, badRequests } from "./bad-requests.ts";

const SEED = 16;
const COUNT = 1_000;
const CONNECTIONS = 40;
/** After it a client that has no whole answer says that it sends nothing more. */
const PATIENCE_MS = 200;
// Far more than any machine needs: an answer that takes longer is none.
const NO_ANSWER_MS = 60_000;
/** What caches, buffers and the heap's young space grow by. */
const GROWTH_BYTES = 150_000_000;

interface Outcome {
  /** Its beginning, for a report. */
  request: string;
  answer: string;
  hangs: boolean;
}

describe.each(templates.manifest.frameworks)("a service on $title", ({ name }) => {
  let directory: string;
  let service: RunningService;

  beforeAll(async () => {
    directory = await createService(`fuzz-${name}`, ["--framework", name]);
    await addEchoRoutes(directory);
    await runScript(directory, "build");
    service = await startBuilt(directory, { SERVICE_NAME: "fuzz", WEB_CONCURRENCY: "1" });
  });

  afterAll(() => service?.stop());

  it(`outlives ${COUNT} bad requests, and fails at none`, async () => {
    const [port, files] = [Number(new URL(service.api).port), await everything(directory)];
    const requests = badRequests(SEED, COUNT);
    // A fifth of them first, so that what is made once is not taken for growth.
    await sendAll(port, requests.slice(0, COUNT / 5));
    const before = await metrics(service);
    const outcomes = await sendAll(port, requests);
    const after = await metrics(service);

    expect(outcomes.filter(({ hangs }) => hangs)).toEqual([]);
    expect(outcomes.filter(({ answer }) => /^HTTP\/1\.1 5/m.test(answer))).toEqual([]);
    const answered = outcomes.filter(({ answer }) => /^HTTP\/1\.1 [24]/.test(answer));
    expect(answered.length).toBeGreaterThan(COUNT / 2);
    expect(outcomes.some(({ answer }) => answer.startsWith("HTTP/1.1 200"))).toBe(true);

    expect(after("cluster_worker_hangs_total")).toBe(0);
    expect(service.log.filter((line) => line.includes("worker ready"))).toHaveLength(1);
    expect(after("http_server_active_requests")).toBe(0);
    const grown = after("process_resident_memory_bytes") - before("process_resident_memory_bytes");
    expect(grown).toBeLessThan(GROWTH_BYTES);

    const strange = service.log.filter(
      (line) => line.length >= 4_096 || !/^\{"level":"(?:debug|info|warn)".*\}$/.test(line),
    );
    expect(strange).toEqual([]);
    expect(await everything(directory)).toEqual(files);
  });
});

async function everything(directory: string): Promise<string[]> {
  const paths = await readdir(directory, { recursive: true });
  // Node keeps there what it has compiled.
  return paths.filter((path) => !path.startsWith("dist/.cache")).toSorted();
}

async function sendAll(port: number, requests: readonly BadRequest[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = [...requests];
  const sendSome = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      outcomes.push(await send(port, next));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, sendSome));
  return outcomes;
}

/** Sends a request, and waits until the service has closed the connection. */
async function send(port: number, request: BadRequest): Promise<Outcome> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const chunks: Buffer[] = [];
  // A reset is an answer, too: to bytes that follow a refusal.
  socket.on("error", () => {}).on("data", (chunk: Buffer) => chunks.push(chunk));
  const { promise: closed, resolve } = Promise.withResolvers<true>();
  socket.once("close", () => resolve(true));
  socket.on("end", () => socket.end());
  for (const piece of request) {
    socket.write(piece);
    if (request.length > 1) await delay(1);
  }
  await Promise.race([closed, delay(PATIENCE_MS, undefined, { ref: false })]);
  socket.end();
  const isClosed = await Promise.race([closed, delay(NO_ANSWER_MS, false, { ref: false })]);
  socket.destroy();
  const start = Buffer.concat(request).toString("latin1").slice(0, 500);
  return { request: start, answer: Buffer.concat(chunks).toString("latin1"), hangs: !isClosed };
}

/** The sum of a metric's series, once nothing moves any more: workers report every second. */
async function metrics({ metrics: url }: RunningService): Promise<(name: string) => number> {
  await delay(7_000);
  const text = await (await fetch(`${url}/metrics`)).text();
  return (name) => {
    const values = text
      .split("\n")
      .filter((line) => line.startsWith(name) && /[ {]/.test(line[name.length] ?? ""))
      .map((line) => Number(line.slice(line.lastIndexOf(" "))));
    return values.reduce((sum, value) => sum + value, 0);
  };
}
