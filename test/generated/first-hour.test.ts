import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { network } from "../../src/system/network.ts";
import { createWithEnvFile, runScript } from "../support/generated.ts";
import { startBuilt } from "../support/running-service.ts";
import { templates } from "../support/templates.ts";
import { CTRL_C, Terminal } from "../support/terminal.ts";

// What a new user does with a service that has every integration, on a machine without any server.
const integrations = templates.manifest.integrations.map(({ name }) => name).join();

let directory: string;
let port: number;
let metricsPort: number;

beforeAll(async () => {
  directory = await createWithEnvFile("first-hour", ["--integrations", integrations]);
  [port = 0, metricsPort = 0] = await network.freePorts(2);
  setEnv("PORT", port);
  setEnv("METRICS_PORT", metricsPort);
});

/** Changes a setting as a person does, in `.env`. */
function setEnv(name: string, value: string | number): void {
  edit(".env", (text) =>
    text.replace(new RegExp(`^${name}=.*\n|$(?![^])`, "m"), `${name}=${value}\n`),
  );
}

/** Edits a file of the service. @returns what takes the edit back. */
function edit(path: string, change: (text: string) => string): () => void {
  const file = join(directory, path);
  const before = readFileSync(file, "utf8");
  writeFileSync(file, change(before));
  return () => writeFileSync(file, before);
}

/** `npm run dev` on a terminal, without npm. */
async function dev(args: string[] = []): Promise<Terminal> {
  const script = join(directory, "scripts/dev.ts");
  const terminal = new Terminal(args, directory, { NO_COLOR: "1" }, 200, script);
  onTestFinished(async () => {
    terminal.type(CTRL_C);
    await terminal.ended;
  });
  await terminal.see("first-hour is ready");
  return terminal;
}

const api = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
const json = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** Every example route of every integration does what it says. */
async function useExamples(get: typeof api, metrics: string): Promise<void> {
  const ready = await get("/health/ready");
  expect([ready.status, await ready.json()]).toMatchObject([200, { status: "ready" }]);

  const data = { receiptId: "r-1", retailer: "Target", totalCents: 649 };
  const published = await get("/api/v1/events", json("POST", { type: "receipt.scanned", data }));
  expect(published.status).toBe(202);
  const consumed = /^kafka_consumed_records_total\{.*outcome="processed"\} 1$/m;
  while (!consumed.test(await (await fetch(`${metrics}/metrics`)).text())) await delay(50);

  const receipt = {
    retailer: "Target",
    purchaseDate: "2026-01-01",
    total: "6.49",
    items: [{ shortDescription: "Dew", price: "6.49" }],
  };
  const ids = [randomUUID(), randomUUID()].sort();
  const put = (id = "", version?: string) => {
    const headers = { "content-type": "application/json", ...(version && { "if-match": version }) };
    return get(`/api/v1/receipts/${id}`, { ...json("PUT", receipt), headers });
  };
  for (const id of ids) expect((await put(id)).status).toBe(201);
  expect((await put(ids[0])).status).toBe(409);
  expect((await put(ids[0], '"1"')).status).toBe(200);
  expect((await put(ids[0], '"1"')).status).toBe(409);
  expect(await (await get(`/api/v1/receipts/${ids[0]}`)).json()).toMatchObject({ version: 2 });
  const listed: string[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const more: string = cursor && `&cursor=${cursor}`;
    const page = await (await get(`/api/v1/receipts?limit=1${more}`)).json();
    const { receipts, nextCursor } = page as { receipts: { id: string }[]; nextCursor?: string };
    listed.push(...receipts.map(({ id }) => id));
    cursor = nextCursor;
  }
  expect(listed).toEqual(ids);
  for (const id of ids) {
    expect((await get(`/api/v1/receipts/${id}`, { method: "DELETE" })).status).toBe(204);
  }

  const member = (path: string, init?: RequestInit) => get(`/api/v1/members/m-1/${path}`, init);
  expect(await (await member("balance")).json()).toEqual({ points: 1_250, tier: "base" });
  const spent = await member("spendings", json("POST", { points: 50 }));
  expect(await spent.json()).toEqual({ points: 1_200 });

  const image = Buffer.from(`an image, or so they say: ${randomUUID()}`);
  const upload = { method: "PUT", headers: { "content-type": "image/png" }, body: image };
  expect((await get("/api/v1/images", upload)).status).toBe(201);
  expect((await get("/api/v1/images", upload)).status).toBe(200);
  const sha256 = createHash("sha256").update(image).digest("hex");
  const { url } = (await (await get(`/api/v1/images/${sha256}`)).json()) as { url: string };
  const download = await fetch(url);
  expect(download.headers.get("content-type")).toBe("image/png");
  expect(Buffer.from(await download.arrayBuffer())).toEqual(image);
  expect((await fetch(url.replace(/expires=\d+/, "expires=1"))).status).toBe(403);
}

describe("npm run dev, without any server", () => {
  it("shows the addresses, does what every example says, and logs it in readable lines", async () => {
    const terminal = await dev();
    await terminal.see(`http://localhost:${port}/docs`);
    await terminal.see(`http://localhost:${metricsPort}/metrics`);
    await terminal.see("In memory  kafka, dynamodb, s3, grpc");
    await useExamples(api, `http://127.0.0.1:${metricsPort}`);
    await terminal.see("INFO  POST /api/v1/events 202 ");
    await terminal.see(" ms\r\n");
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(metrics).toMatch(/^cluster_workers\{.*phase="ready"\} 1$/m);
    expect(terminal.raw).not.toContain('"message"');
  });

  it("frames what keeps it from starting once, and goes on after the next change", async () => {
    const terminal = await dev();
    const fix = edit("src/app.ts", (text) => `${text}const x = ;\n`);
    await terminal.see("┌ The service cannot start");
    await terminal.see("│ src/app.ts:");
    await terminal.see("Expression expected");
    await terminal.see("└ It starts again when you save a change.");
    fix();
    await terminal.see("ready, after");
    const repair = edit("src/settings.ts", (text) => `throw new Error("no luck");\n${text}`);
    await terminal.see("┌ The service ended with exit code 1");
    await terminal.see("no luck");
    repair();
    await terminal.see("ready, after");
    expect(terminal.raw.split("┌")).toHaveLength(3);
    expect(terminal.raw).not.toMatch(/a worker failed|worker died|node:internal/);
  });

  it("starts again when .env changes: with a port that is taken, with real servers, and back", async () => {
    const terminal = await dev();
    const server = createServer().listen(0, "0.0.0.0");
    await once(server, "listening");
    const address = server.address();
    const taken = typeof address === "object" && address ? address.port : 0;
    setEnv("PORT", taken);
    await terminal.see(`│ PORT: port ${taken} is in use by another process`);
    server.close();
    // Nobody listens there.
    const noServers = edit(".env", (text) =>
      text
        .replace(/^PORT=.*$/m, `PORT=${port}`)
        .replace("IN_MEMORY=all", "IN_MEMORY=kafka,s3,grpc")
        .replace(/^AWS_ENDPOINT_URL_DYNAMODB=.*$/m, "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1"),
    );
    await terminal.see("ERROR dynamodb is not there: connect ECONNREFUSED 127.0.0.1:1; start it");
    await terminal.see("compose/dynamodb.yaml up --detach), or set IN_MEMORY=all in .env");
    await terminal.see("not ready without dynamodb, after");
    noServers();
    setEnv("PORT", port);
    await terminal.see("ready, after");
  });

  it("gives a debugger the port that was asked for, and lets a breakpoint stand", async () => {
    const [inspect = 0] = await network.freePorts(1);
    setEnv("TIMEOUT", 1);
    const terminal = await dev([`--inspect`, `${inspect}`]);
    await terminal.see(`Debugger   ${inspect}`);
    const list = async () =>
      (await (await fetch(`http://127.0.0.1:${inspect}/json/list`)).json()) as [
        { id: string; webSocketDebuggerUrl: string },
      ];
    const [target] = await list();
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await once(socket, "open");
    const send = (id: number, method: string) => socket.send(JSON.stringify({ id, method }));
    const paused = Promise.withResolvers<void>();
    socket.addEventListener("message", ({ data }) => {
      if (JSON.parse(String(data)).method === "Debugger.paused") paused.resolve();
    });
    send(1, "Debugger.enable");
    send(2, "Debugger.pause");
    const answer = api("/health");
    await paused.promise;
    // Longer than a worker that serves people may be silent, with TIMEOUT=1.
    await delay(4_000);
    send(3, "Debugger.resume");
    expect((await answer).status).toBe(200);
    expect((await list())[0].id).toBe(target.id);
    socket.close();
    setEnv("TIMEOUT", 0);
  });

  it("logs JSON where no terminal is, and leaves nothing running after TERM", async () => {
    const npm = spawn("npm", ["run", "--silent", "dev"], {
      cwd: directory,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pids = await pidsOf(npm);
    npm.kill("SIGTERM");
    npm.stdout?.resume();
    while (pids.some(isRunning)) await delay(50);
    await expect(api("/health")).rejects.toThrow("fetch failed");
  });

  it("stops when the watcher is killed", async () => {
    const watcher = spawn(process.execPath, ["scripts/dev.ts"], {
      cwd: directory,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pids = await pidsOf(watcher);
    watcher.kill("SIGKILL");
    watcher.stdout?.resume();
    while (pids.some(isRunning)) await delay(50);
  });
});

/** The worker of a service that has just started, and its primary. */
async function pidsOf({ stdout }: ChildProcess): Promise<number[]> {
  for await (const line of createInterface(stdout!)) {
    const { message, worker_pid: worker } = JSON.parse(line) as Record<string, unknown>;
    if (message !== "worker ready") continue;
    const { stdout: parent } = await execa("ps", ["-o", "ppid=", "-p", String(worker)]);
    return [Number(worker), Number(parent)];
  }
  throw new Error("it ended before its worker was ready");
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("in memory, compiled", () => {
  beforeAll(() => runScript(directory, "build"));

  it("does what every example says", async () => {
    const service = await startBuilt(directory);
    onTestFinished(() => void service.stop());
    const get: typeof api = (path, init) => fetch(`${service.api}${path}`, init);
    await useExamples(get, service.metrics);
    expect(await service.stop()).toBe(0);
  });

  it.each([
    [{ ENVIRONMENT: "prod" }, "IN_MEMORY: is for development, and ENVIRONMENT is prod"],
    [{ IN_MEMORY: "kafak" }, "IN_MEMORY: kafak is none of all, kafka, dynamodb, s3, grpc"],
  ])("is refused with %j", async (env, message) => {
    const options = { cwd: directory, env: { IN_MEMORY: "all", ...env }, reject: false };
    const { exitCode, stdout } = await execa("node", ["dist/main.js"], options);
    expect([exitCode, stdout]).toEqual([3, expect.stringContaining(message)]);
  });
});
