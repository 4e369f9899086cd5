import { writeFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  status,
} from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import {
  BalanceService,
  GetBalanceResponseSchema,
} from "../../../src/integrations/grpc/gen/fetch/members/v1/balances_pb.ts";
import { type Channel, openChannel } from "../../../src/platform/grpc/channel.ts";
import { createGrpcClient } from "../../../src/platform/grpc/client.ts";
import {
  Health,
  type HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from "../../../src/platform/grpc/health_pb.ts";
import { SettingsError } from "../../../src/platform/settings.ts";
import { loadSettings } from "../../../src/settings.ts";

type Handler = (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => void;

interface TestServer {
  port: number;
  /** The methods that were called, in order. */
  calls: string[];
  stop(): void;
}

const points = (value: bigint): Buffer =>
  Buffer.from(
    toBinary(GetBalanceResponseSchema, create(GetBalanceResponseSchema, { points: value })),
  );
const answer: Handler = (_call, done) => done(null, points(7n));
const fail =
  (code: status): Handler =>
  (_call, done) =>
    done({ code, details: "no" });

function serving(value: HealthCheckResponse_ServingStatus): Handler {
  const message = create(HealthCheckResponseSchema, { status: value });
  return (_call, done) => done(null, Buffer.from(toBinary(HealthCheckResponseSchema, message)));
}

async function startServer(handle: Handler, health?: Handler, port = 0): Promise<TestServer> {
  const server = new Server();
  const calls: string[] = [];
  const same = (bytes: Buffer): Buffer => bytes;
  const raw = {
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const add = (service: { typeName: string; methods: { name: string }[] }, run: Handler): void => {
    for (const { name } of service.methods) {
      const counted: Handler = (call, done) => {
        calls.push(name);
        run(call, done);
      };
      server.addService(
        { [name]: { ...raw, path: `/${service.typeName}/${name}` } },
        { [name]: counted },
      );
    }
  };
  add(BalanceService, handle);
  if (health !== undefined) add(Health, health);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
    error ? reject(error) : resolve(bound),
  );
  const bound = await promise;
  onTestFinished(() => server.forceShutdown());
  return { port: bound, calls, stop: () => server.forceShutdown() };
}

async function open(address: string): Promise<Channel> {
  const channel = await openChannel({ address, services: [BalanceService] });
  onTestFinished(() => channel.close());
  return channel;
}

async function clientOf(...servers: { port: number }[]) {
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`).join(",");
  return createGrpcClient(BalanceService, await open(`ipv4:${addresses}`));
}

test("a call reaches a server with its metadata and its deadline", async () => {
  let seen: unknown;
  const server = await startServer((call, done) => {
    seen = [call.metadata.get("tenant"), Number(call.getDeadline()) - Date.now() <= 700];
    answer(call, done);
  });
  const client = await clientOf(server);
  const { points: found } = await client.getBalance(
    { memberId: "m-1" },
    { metadata: { tenant: "t-1" }, timeoutMs: 700 },
  );
  expect([found, seen]).toEqual([7n, [["t-1"], true]]);
});

test("an idempotent method is repeated while the server is away, for a while", async () => {
  let left = 2;
  const server = await startServer((call, done) =>
    left-- > 0 ? fail(status.UNAVAILABLE)(call, done) : answer(call, done),
  );
  const client = await clientOf(server);
  expect((await client.getBalance({})).points).toBe(7n);
  expect(server.calls).toHaveLength(3);
  left = 100;
  await expect(client.getBalance({})).rejects.toMatchObject({ status: 503 });
  expect(server.calls).toHaveLength(3 + 4);
});

test("one that changes something is called once", async () => {
  const server = await startServer(fail(status.UNAVAILABLE));
  const client = await clientOf(server);
  await expect(client.spendPoints({})).rejects.toMatchObject({ status: 503 });
  expect(server.calls).toEqual(["SpendPoints"]);
});

test.each([status.INTERNAL, status.RESOURCE_EXHAUSTED, status.NOT_FOUND])(
  "status %i is not repeated",
  async (code) => {
    const server = await startServer(fail(code));
    const client = await clientOf(server);
    await expect(client.getBalance({})).rejects.toMatchObject({ name: "AppError" });
    expect(server.calls).toHaveLength(1);
  },
);

test("retries end with the deadline of the call", async () => {
  const server = await startServer(fail(status.UNAVAILABLE));
  const client = await clientOf(server);
  const startedAt = performance.now();
  await expect(client.getBalance({}, { timeoutMs: 1 })).rejects.toMatchObject({
    status: 502,
  });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("a caller that leaves is told to the server", async () => {
  const caller = new AbortController();
  const cancelled = Promise.withResolvers<void>();
  const server = await startServer((call) => {
    call.on("cancelled", () => cancelled.resolve());
    caller.abort(new Error("left"));
  });
  const client = await clientOf(server);
  await expect(client.getBalance({}, { signal: caller.signal })).rejects.toThrow("left");
  await cancelled.promise;
});

test("all addresses are called in turn, and one that is away is left out", async () => {
  const [one, two] = [await startServer(answer), await startServer(answer)];
  const client = await clientOf(one, two);
  await expect
    .poll(async () => {
      await client.getBalance({});
      return Math.min(one.calls.length, two.calls.length);
    })
    .toBeGreaterThan(1);
  one.stop();
  for (let call = 0; call < 20; call += 1) await client.getBalance({});
  const before = two.calls.length;
  for (let call = 0; call < 5; call += 1) await client.spendPoints({});
  expect(two.calls.length - before).toBe(5);
});

test("a server that comes back is called again", async () => {
  const server = await startServer(answer);
  const client = await clientOf(server);
  await client.getBalance({});
  server.stop();
  await expect(client.spendPoints({})).rejects.toMatchObject({ status: 503 });
  await startServer(answer, undefined, server.port);
  await expect
    .poll(async () =>
      client.spendPoints({}).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
});

test.each([
  ["serves", serving(1), true],
  ["does not serve", serving(2), false],
  ["does not know itself", serving(3), false],
  ["has no health service", undefined, true],
  ["fails", fail(status.INTERNAL), false],
])("the health of a server that %s", async (_what, health, isWell) => {
  const server = await startServer(answer, health);
  const channel = await open(`127.0.0.1:${server.port}`);
  const passed = channel.check().then(
    () => true,
    () => false,
  );
  expect(await passed).toBe(isWell);
});

test("a server that is away is not well", async () => {
  const server = await startServer(answer);
  server.stop();
  await expect((await open(`127.0.0.1:${server.port}`)).check()).rejects.toThrow("UNAVAILABLE");
});

test("certificates are read at start, and a missing one is a wrong setting", async () => {
  const folder = mkdtempSync(join(tmpdir(), "grpc-"));
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, rootCertificates[0] ?? "");
  const target = { address: "127.0.0.1:1", services: [] };
  (await openChannel({ ...target, tls: { ca } })).close();
  const missing = openChannel({ ...target, tls: { ca: join(folder, "none.pem") } });
  await expect(missing).rejects.toBeInstanceOf(SettingsError);
});

test.each([
  { ca: "-----BEGIN CERTIFICATE-----\n" },
  { cert: rootCertificates[0] },
  { cert: rootCertificates[0], key: "-----BEGIN PRIVATE KEY-----\n" },
])("what cannot be used for TLS is a wrong setting: %j", async (tls) => {
  const opened = openChannel({ address: "127.0.0.1:1", services: [], tls });
  await expect(opened).rejects.toBeInstanceOf(SettingsError);
});

test.each([
  "http://members.internal:50051",
  "members.internal",
  "members.internal:0",
  "members.internal:65536",
  "/var/run/members:1",
])("%s is no address", (address) => {
  expect(() => loadSettings({ GRPC_MEMBERS_ADDRESS: address })).toThrow("GRPC_MEMBERS_ADDRESS");
});

test.each(["m:1", "[::1]:50051", "ipv4:10.0.0.1:50051,10.0.0.2:50051", "dns:members.internal:443"])(
  "%s is an address",
  (address) => {
    const settings = loadSettings({ GRPC_MEMBERS_ADDRESS: address });
    expect(settings.GRPC_MEMBERS_ADDRESS).toBe(address);
  },
);
