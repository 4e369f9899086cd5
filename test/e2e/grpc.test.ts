import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";
import { describe, expect, inject, it } from "vitest";

import { type Collector, startCollector } from "../stack/collector.ts";
import { scratchFolder } from "../stack/server.ts";
import { startForgetfulBalancer } from "./forgetful-balancer.ts";
import { type Members, startMembers } from "./members.ts";
import { type Service, startService } from "./service/run.ts";
import { until } from "./until.ts";

const RESTARTS = 3;
const CALLERS = 8;
// Within 13 seconds a client finds out; a busy machine gets more.
const FOUND_OUT_MS = 60_000;

// Beside each other, as most of it is waiting, and each has a server of its own.
const services = Object.entries(inject("services"));
describe.concurrent.each(services)("%s: a gRPC server", (name, directory) => {
  it("is told who asks and how long there is time, and its words stay inside", async () => {
    await using members = await startMembers();
    await using collector = await startCollector();
    await using service = await start(members.port, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    });
    const requestId = randomUUID();
    const headers = { "X-Request-ID": requestId, "X-Correlation-ID": "c-1" };
    const response = await fetch(`${service.url}/api/v1/members/m-1/balance`, { headers });
    expect([response.status, await response.json()]).toEqual([
      200,
      { points: 1_250, tier: "gold" },
    ]);
    const call = await until("the call in the server's log", () =>
      members.calls().find(({ member }) => member === "m-1"),
    );
    expect(call.metadata).toMatchObject({ "x-request-id": requestId, "x-correlation-id": "c-1" });
    expect(call.seconds_left).toBeGreaterThan(5);
    expect(call.seconds_left).toBeLessThanOrEqual(60);
    await expectSpan(collector, call.metadata["traceparent"]);

    const [nobody, broken] = [await balance(service, "nobody"), await balance(service, "broken")];
    expect([nobody.status, broken.status]).toEqual([404, 502]);
    expect(nobody.text + broken.text).not.toMatch(/db-7|members_pk/);
    // Workers tell the primary once a second.
    await until("the calls among the metrics", async () => {
      const metrics = await (await fetch(`${service.metricsUrl}/metrics`)).text();
      return /grpc_client_call_duration_seconds_count\{.*status="NOT_FOUND"\} 1/.test(metrics);
    });
  });

  it("that is slow is left at the deadline, and notices", async () => {
    await using members = await startMembers();
    await using service = await start(members.port, { GRPC_MEMBERS_TIMEOUT: "1" });
    expect((await balance(service, "slow")).status).toBe(502);
    await until("the end of the call in the server", () =>
      members.calls().some(({ method }) => method === "cancelled"),
    );
  });

  it("that is killed is a 503 until it is back, and the service lives on", async () => {
    await using members = await startMembers();
    await using service = await start(members.port);
    await untilHealth(service, "healthy");
    await members.stop("SIGKILL");
    const refused = await balance(service, "m-1");
    expect([refused.status, refused.retryAfter]).toEqual([503, expect.stringMatching(/^[1-3]$/)]);
    await untilHealth(service, "unhealthy");
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
    await members.start();
    await until("a balance", async () => (await balance(service, "m-1")).status === 200);
    await untilHealth(service, "healthy");
  });

  it("that is replaced behind its address costs no read, and doubles nothing", async () => {
    await using stack = new AsyncDisposableStack();
    const servers = [stack.use(await startMembers())];
    await using service = await start(servers[0]!.port);
    const over = new AbortController();
    const counts = Array.from({ length: CALLERS }, () => callOnAndOn(service, over.signal));
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      await delay(1_000);
      servers.push(stack.use(await replace(servers.at(-1)!)));
    }
    await delay(1_000);
    over.abort();
    const seen = (await Promise.all(counts)).flat();
    const reads = seen.filter(({ kind }) => kind === "read");
    const spendings = seen.filter(({ kind }) => kind === "spending");
    const told = `${name}: ${reads.length} reads, ${spendings.length} spendings`;
    const refused = spendings.filter(({ status }) => status !== 200);
    process.stdout.write(`${told}, of which ${refused.length} were refused\n`);
    expect(reads.filter(({ status }) => status !== 200)).toEqual([]);
    expect(refused.filter(({ status }) => status !== 503)).toEqual([]);
    const spent = servers
      .flatMap((server) => server.calls())
      .filter(({ method }) => method === "SpendPoints")
      .map(({ member }) => member);
    expect(new Set(spent).size).toBe(spent.length);
    expect(
      servers.every((server) => server.calls().some(({ method }) => method !== "serving")),
    ).toBe(true);
  });

  it("behind a balancer that has forgotten the connection is found again", async () => {
    await using members = await startMembers();
    using balancer = await startForgetfulBalancer(members.port);
    await using service = await start(balancer.port, { GRPC_MEMBERS_TIMEOUT: "1" });
    const isAnswered = async (): Promise<boolean> => (await balance(service, "m-1")).status === 200;
    await until("a balance", isAnswered);
    balancer.forget();
    const startedAt = performance.now();
    await until("a balance again", isAnswered);
    const took = performance.now() - startedAt;
    process.stdout.write(
      `${name}: a forgotten connection was replaced after ${Math.round(took)} ms\n`,
    );
    expect(took).toBeLessThan(FOUND_OUT_MS);
  });

  it("behind a balancer that forgets what is idle is reached at once, as checks keep it in use", async () => {
    await using members = await startMembers();
    using balancer = await startForgetfulBalancer(members.port, 12_000);
    await using service = await start(balancer.port);
    await until("a balance", async () => (await balance(service, "m-1")).status === 200);
    const before = balancer.connections();
    await delay(18_000);
    expect((await balance(service, "m-1")).status).toBe(200);
    expect(balancer.connections()).toBe(before);
  });

  it("that nobody calls is left before a balancer forgets it", async () => {
    await using members = await startMembers();
    using balancer = await startForgetfulBalancer(members.port, 14_000);
    const { openChannel } = await import(join(directory, "src/platform/grpc/channel.ts"));
    const address = `localhost:${balancer.port}`;
    const channel = await openChannel({ address, services: [], idleMs: 1_000 });
    await channel.check();
    await delay(18_000);
    // A check ends after less time than pings need to find out.
    await channel.check();
    channel.close();
    expect(balancer.connections()).toBe(2);
  });

  it("that asks for a certificate gets the client's, and refuses one that has none", async () => {
    await using folder = await scratchFolder("certificates");
    const tls = await makeCertificates(folder.path);
    const file = (kind: string): string => join(folder.path, kind);
    const GRPC_MEMBERS_TLS_CA = file("ca.pem");
    await using members = await startMembers({ tls: { ...tls, clientCa: GRPC_MEMBERS_TLS_CA } });
    await using known = await start(members.port, {
      GRPC_MEMBERS_TLS_CA,
      GRPC_MEMBERS_TLS_CERT: file("client.pem"),
      // As the text itself, which a secret has.
      GRPC_MEMBERS_TLS_KEY: await readFile(file("client.key"), "utf8"),
    });
    expect((await balance(known, "m-1")).status).toBe(200);
    await untilHealth(known, "healthy");
    await using stranger = await start(members.port, { GRPC_MEMBERS_TLS_CA });
    expect((await balance(stranger, "m-1")).status).toBe(503);
    expect(members.calls().filter(({ method }) => method === "GetBalance").length).toBe(1);
  });

  it("with a certificate of an own authority is trusted when that one is", async () => {
    await using folder = await scratchFolder("certificates");
    const tls = await makeCertificates(folder.path);
    await using members = await startMembers({ tls });
    await using trusting = await start(members.port, {
      GRPC_MEMBERS_TLS_CA: join(folder.path, "ca.pem"),
    });
    expect((await balance(trusting, "m-1")).status).toBe(200);
    await using strange = await start(members.port, { GRPC_MEMBERS_TLS: "true" });
    expect((await balance(strange, "m-1")).status).toBe(503);
  });

  /** Neither Kafka nor DynamoDB nor S3 is there: the routes of gRPC need none of them. */
  function start(port: number, settings: Record<string, string> = {}): Promise<Service> {
    const environment = {
      ENVIRONMENT: "dev",
      GRPC_MEMBERS_ADDRESS: `localhost:${port}`,
      GRPC_MEMBERS_TIMEOUT: "60",
      ...settings,
    };
    return startService(directory, environment, { workers: 1 });
  }
});

interface Answer {
  status: number;
  text: string;
  retryAfter: string | null;
}

async function balance(service: Service, member: string): Promise<Answer> {
  const response = await fetch(`${service.url}/api/v1/members/${member}/balance`);
  const retryAfter = response.headers.get("Retry-After");
  return { status: response.status, text: await response.text(), retryAfter };
}

/** Reads and spends in turn; each spending has a member of its own, by which the servers know it. */
async function callOnAndOn(
  { url }: Service,
  over: AbortSignal,
): Promise<{ kind: "read" | "spending"; status: number }[]> {
  const seen: Awaited<ReturnType<typeof callOnAndOn>> = [];
  while (!over.aborted) {
    const read = await fetch(`${url}/api/v1/members/m-1/balance`);
    seen.push({ kind: "read", status: read.status });
    const spending = await fetch(`${url}/api/v1/members/${randomUUID()}/spendings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ points: 1 }),
    });
    seen.push({ kind: "spending", status: spending.status });
    await Promise.all([read.arrayBuffer(), spending.arrayBuffer()]);
  }
  return seen;
}

/** As a rolling restart does: the next server serves before the old one is told to stop. */
async function replace(old: Members): Promise<Members> {
  const next = await startMembers({ port: old.port });
  await old.stop();
  return next;
}

async function untilHealth(service: Service, wanted: string): Promise<void> {
  await until(`grpc ${wanted}`, async () => (await service.ready()).checks["grpc"] === wanted);
}

async function expectSpan(collector: Collector, traceparent = ""): Promise<void> {
  const [, traceId, spanId] = traceparent.split("-");
  const span = await until("the span of the call", async () =>
    (await collector.spans()).find((one) => one.spanId === spanId),
  );
  expect(span).toMatchObject({ traceId, kind: "client" });
  expect(span.attributes).toMatchObject({ "rpc.system": "grpc", "rpc.method": "GetBalance" });
}

/** A certificate authority, a certificate of it for localhost, and one for a client. */
async function makeCertificates(folder: string): Promise<{ certificate: string; key: string }> {
  const file = (kind: string): string => join(folder, kind);
  const make = async (name: string, subject: string, ...more: string[]): Promise<void> => {
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const files = ["-keyout", file(`${name}.key`), "-out", file(`${name}.pem`)];
    await execa("openssl", ["req", ...kind, "-days", "3650", "-subj", subject, ...more, ...files]);
  };
  await make("ca", "/CN=An authority");
  const signed = ["-CA", file("ca.pem"), "-CAkey", file("ca.key")];
  await make("server", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", ...signed);
  await make("client", "/CN=A client", ...signed);
  return { certificate: file("server.pem"), key: file("server.key") };
}
