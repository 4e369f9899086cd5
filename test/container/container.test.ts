import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { network } from "../../src/system/network.ts";
import { type Engine, openEngine } from "./engine.ts";

const CLI = join(import.meta.dirname, "../../bin/create-fetch-service.js");
const TAG = "localhost/container-test";
const MEGABYTE = 1_000_000;
const RECEIPT = JSON.stringify({
  retailer: "Target",
  purchaseDate: "2022-01-01",
  purchaseTime: "13:01",
  items: [{ shortDescription: "Mountain Dew 12PK", price: "6.49" }],
  total: "6.49",
});

let engine: Engine;
let directory: string;

beforeAll(async () => {
  engine = await openEngine();
  directory = join(await mkdtemp(join(tmpdir(), "container-")), "boxed-service");
  const flags = ["--yes", "--no-install", "--no-git", "--directory", directory];
  await execa(process.execPath, [CLI, "boxed-service", ...flags]);
  await execa("npm", ["install", "--package-lock-only", "--no-audit"], { cwd: directory });
  // What must stay out of the image.
  await writeFile(join(directory, ".env"), "SECRET=not-for-the-image\n");
  await mkdir(join(directory, ".git"));
  await writeFile(join(directory, ".git/HEAD"), "ref: refs/heads/main\n");
  await engine.build(directory, TAG);
});

afterAll(async () => {
  await rm(join(directory, ".."), { recursive: true, force: true });
});

describe("the image", () => {
  it("is as small as the standard asks", async () => {
    const [{ Size: whole }] = await inspect<[{ Size: number }]>(TAG);
    const service = Number.parseInt(await inImage("du", "--summarize", "--bytes", "/app"), 10);
    console.log(`image: ${megabytes(whole)} MB, of which ${megabytes(service)} MB are the service`);
    expect(whole).toBeLessThan(400 * MEGABYTE);
  });

  it("holds what runs, and nothing else", async () => {
    expect((await inImage("ls", "-A", "/app")).split("\n").sort()).toEqual([
      "dist",
      "package.json",
    ]);
    expect(await inImage("find", "/app/dist", "-name", "*.test.*", "-o", "-name", "*.ts")).toBe("");
  });

  it("does not know the registry it was built with", async () => {
    expect(await inImage("sh", "-c", "cat /usr/local/etc/npmrc /home/node/.npmrc; true")).toBe("");
    const history = await engine.command(
      "history",
      "--no-trunc",
      "--format",
      "{{.CreatedBy}}",
      TAG,
    );
    expect(history).not.toMatch(/https?:\/\//);
  });

  it("keeps a change of source to its last layers", async () => {
    const before = await layers();
    const settings = join(directory, "src/app.ts");
    await writeFile(settings, `${await readFile(settings, "utf8")}// changed\n`);
    await engine.build(directory, TAG);
    const after = await layers();
    // The bundle, the folder for the cache of it, and the cache.
    expect(after.slice(0, -3)).toEqual(before.slice(0, -3));
    expect(after.at(-3)).not.toBe(before.at(-3));
  });

  it("holds what a start has compiled, for the user that starts it", async () => {
    const cached = await inImage("find", "/app/dist/.cache", "-type", "f", "-user", "1000");
    expect(cached.split("\n").length).toBeGreaterThan(5);
  });
});

describe("a container", () => {
  it("runs as an ordinary user without rights, on a root that it cannot write to", async () => {
    await using container = await start({ ENVIRONMENT: "stage" });
    const status = await container.exec("cat", "/proc/1/status");
    expect(status).toMatch(/^Name:\s+primary: boxed-/m);
    expect(status).toMatch(/^Uid:\s+1000\s+1000\s/m);
    expect(status).toMatch(/^CapEff:\s+0{16}$/m);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    await expect(container.exec("touch", "/app/x")).rejects.toThrow(/Read-only file system/);
    await expect(container.exec("touch", "/tmp/x")).rejects.toThrow(/Read-only file system/);
  });

  it("is healthy by the check that the image brings, and unhealthy without the service", async () => {
    await using container = await start({ ENVIRONMENT: "stage" });
    const [{ Config: config }] = await inspect<
      [{ Config: { Healthcheck: { Test: [string, ...string[]] } } }]
    >(container.id);
    const [kind, ...check] = config.Healthcheck.Test;
    expect(kind).toBe("CMD");
    await container.exec(...check);
    await expect(
      engine.command("exec", "--env", "PORT=1", container.id, ...check),
    ).rejects.toThrow();
  });

  it.each([
    ["stage", 200],
    ["prod", 404],
  ])("in %s answers /docs with %i", async (environment, status) => {
    await using container = await start({ ENVIRONMENT: environment });
    for (const page of ["/docs", "/redoc", "/openapi.json"]) {
      expect((await fetch(`${container.api}${page}`)).status).toBe(status);
    }
    const asset = await fetch(`${container.api}/docs/redoc.standalone.js`);
    expect(asset.status).toBe(status);
    const metrics = await (await fetch(`${container.metrics}/metrics`)).text();
    expect(metrics).toContain("# TYPE http_server_request_duration_seconds histogram");
  });

  it("answers the request in flight when it is told to stop, then exits with 0", async () => {
    await using container = await start({ ENVIRONMENT: "prod", DEREGISTRATION_DELAY: "1" });
    const socket = connect(Number(new URL(container.api).port), "127.0.0.1").setEncoding("utf8");
    await once(socket, "connect");
    socket.write(
      "POST /api/v1/receipts/points HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
        `Content-Length: ${RECEIPT.length}\r\n\r\n${RECEIPT.slice(0, 10)}`,
    );
    const exitCode = engine.command("wait", container.id);
    await engine.command("kill", "--signal", "TERM", container.id);
    await untilDraining(container.metrics);
    socket.write(RECEIPT.slice(10));
    const [answer] = await once(socket, "data");
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toMatch(/^Connection: close\r$/im);
    expect(answer).toContain('{"points":');
    expect(await exitCode).toBe("0");
  });
});

interface Container extends AsyncDisposable {
  id: string;
  api: string;
  metrics: string;
  exec: (...command: string[]) => Promise<string>;
}

/** Starts a container as hardened as fsd.yml asks, and waits until it is ready. */
async function start(env: Record<string, string>): Promise<Container> {
  const [port = 0, metricsPort = 0] = await network.freePorts(2);
  const all = { ...env, BIND: "127.0.0.1", PORT: `${port}`, METRICS_PORT: `${metricsPort}` };
  const id = await engine.command(
    ...["run", "--detach", "--network", "host", "--stop-timeout", "0", ...engine.runFlags],
    ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
    ...Object.entries(all).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    TAG,
  );
  const container: Container = {
    id,
    api: `http://127.0.0.1:${port}`,
    metrics: `http://127.0.0.1:${metricsPort}`,
    exec: (...command) => engine.command("exec", id, ...command),
    [Symbol.asyncDispose]: async () => void (await engine.command("rm", "--force", id)),
  };
  await untilReady(container);
  return container;
}

async function untilReady({ id, api }: Container): Promise<void> {
  while ((await network.request("GET", `${api}/health/ready`))?.status !== 200) {
    const [{ State: state }] = await inspect<[{ State: { Running: boolean } }]>(id);
    if (!state.Running) {
      throw new Error(`the service did not start:\n${await engine.command("logs", id)}`);
    }
    await network.wait(50, new AbortController().signal);
  }
}

async function untilDraining(metrics: string): Promise<void> {
  while ((await network.request("GET", `${metrics}/health/ready`))?.status === 200) {
    await network.wait(20, new AbortController().signal);
  }
}

async function inspect<Shape>(name: string): Promise<Shape> {
  return JSON.parse(await engine.command("inspect", name)) as Shape;
}

async function layers(): Promise<string[]> {
  const [{ RootFS: root }] = await inspect<[{ RootFS: { Layers: string[] } }]>(TAG);
  return root.Layers;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / MEGABYTE);
}

/** Runs a command in a fresh container of the image, without the service. */
function inImage(...command: string[]): Promise<string> {
  const flags = ["--rm", "--network", "none", ...engine.runFlags];
  return engine.command("run", ...flags, TAG, ...command);
}
