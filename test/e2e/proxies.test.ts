import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { type Proxy, startToxiproxy, type Toxiproxy } from "../stack/toxiproxy.ts";
import { postEvent } from "./events.ts";
import { RECEIPT } from "./receipt.ts";
import { type Service, startService } from "./service/run.ts";
import { startReadyService, startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

// What a service that honours its own time-outs never needs: all its tries together may take ten seconds.
const HANGS_MS = 60_000;
const FAILED = [502, 503];
// Ten seconds are promised; a busy machine gets three times as long, and a connection left alone for half a minute shows.
const RECOVERY_S = 30;

let surroundings: Surroundings;
let toxiproxy: Toxiproxy;
let kafkaProxy: Proxy;
beforeAll(async () => {
  toxiproxy = await startToxiproxy();
  surroundings = await startSurroundings({
    advertise: async (port) => {
      kafkaProxy = await toxiproxy.proxy("kafka", port);
      return kafkaProxy.port;
    },
  });
});
afterAll(async () => {
  await toxiproxy?.[Symbol.asyncDispose]();
  await surroundings?.[Symbol.asyncDispose]();
});

const services = Object.entries(inject("services"));

// The frameworks beside each other, as most of it is waiting, and each service has proxies of its own.
describe.concurrent.each(services)("%s behind proxies", (name, directory) => {
  let service: Service;
  const proxies: Record<string, Proxy> = {};

  beforeAll(async () => {
    proxies["dynamodb"] = await toxiproxy.proxy(`${name}-db`, surroundings.dynamoDb.port);
    proxies["s3"] = await toxiproxy.proxy(`${name}-s3`, surroundings.s3.port);
    await using group = await surroundings.newGroup();
    service = await startService(directory, {
      ...group.environment,
      AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${proxies["dynamodb"].port}`,
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${proxies["s3"].port}`,
    });
    await service.untilReady();
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  describe.each([
    { dependency: "dynamodb", critical: true, use: putReceipt },
    { dependency: "s3", critical: false, use: putImage },
  ])("with $dependency", { concurrent: false }, ({ dependency, critical, use }) => {
    const proxy = (): Proxy => proxies[dependency] as Proxy;

    it("slow: it waits, and answers well", async () => {
      await proxy().slow(800);
      expect((await use(service)).status).toBe(201);
      await proxy().heal();
    });

    it("resetting connections: it says so, and gets over it", async () => {
      await proxy().resetConnections();
      await expectFailure(use);
      await proxy().heal();
      await recovers(use);
    });

    it("gone: it says so at once, is ready as far as it can be, and gets over it", async () => {
      await proxy().down();
      await expectFailure(use);
      // Each worker checks for itself, so what they say is compared within one answer.
      let report = await service.ready();
      await until("a check that failed", async () => {
        report = await service.ready();
        return report.checks[dependency] === "unhealthy";
      });
      expect(report.status).toBe(critical ? 503 : 200);
      await proxy().heal();
      await recovers(use);
      await until("a check that passed", async () => {
        return (await service.ready()).checks[dependency] === "healthy";
      });
    });

    it("silent: it does not wait for ever, answers others meanwhile, and gets over it", async () => {
      await proxy().hang();
      const start = performance.now();
      const failure = expectFailure(use);
      expect((await fetch(`${service.url}/health`)).status).toBe(200);
      await failure;
      const seconds = (performance.now() - start) / 1000;
      process.stdout.write(
        `${name}: silent ${dependency}: given up after ${seconds.toFixed(1)} s\n`,
      );
      await proxy().heal();
      await recovers(use);
    });
  });

  async function expectFailure(use: Use): Promise<void> {
    const { status, body } = await use(service);
    expect(FAILED).toContain(status);
    const code = status === 502 ? "EXTERNAL_SERVICE_ERROR" : "OVERLOADED";
    expect(body).toMatchObject({ error: { code } });
    expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|ECONN|aws/i);
  }

  async function recovers(use: Use): Promise<void> {
    await until("a request that is answered well", async () => (await use(service)).status === 201);
  }
});

describe.each(services)("%s behind a proxy", (name, directory) => {
  let service: Service;

  beforeAll(async () => {
    service = await startReadyService(surroundings, directory);
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  it.each(["hang", "down"] as const)(
    "with a Kafka that does %s: it says so, and is well soon after",
    async (misbehave) => {
      await until("an event that is published", async () => {
        return (await postEvent(service)).status === 202;
      });
      await kafkaProxy[misbehave]();
      const [{ status }] = await Promise.all([
        postEvent(service),
        until("a check that failed", async () => (await service.ready()).status === 503),
      ]);
      expect(FAILED).toContain(status);
      await kafkaProxy.heal();
      const start = performance.now();
      await service.untilReady();
      await until("an event that is published", async () => {
        return (await postEvent(service)).status === 202;
      });
      const seconds = (performance.now() - start) / 1000;
      process.stdout.write(`${name}: well ${seconds.toFixed(1)} s after Kafka\n`);
      expect(seconds).toBeLessThan(RECOVERY_S);
    },
  );
});

type Use = (service: Service) => Promise<{ status: number; body: unknown }>;

async function putReceipt(service: Service): ReturnType<Use> {
  return send(service, `/receipts/${randomUUID()}`, "application/json", JSON.stringify(RECEIPT));
}

async function putImage(service: Service): ReturnType<Use> {
  return send(service, "/images", "image/png", randomUUID());
}

async function send(
  { url }: Service,
  path: string,
  type: string,
  body: string,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method: "PUT",
    headers: { "content-type": type },
    body,
    signal: AbortSignal.timeout(HANGS_MS),
  });
  return { status: response.status, body: await response.json() };
}
