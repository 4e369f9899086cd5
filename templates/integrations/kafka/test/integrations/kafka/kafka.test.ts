import { Registry } from "@prometheus-io/client";
import { expect, test } from "vitest";
import { createDeps } from "../../../src/deps.ts";
import { receiptScanned } from "../../../src/integrations/kafka/events.ts";
import { handlers } from "../../../src/integrations/kafka/handlers.ts";
import { kafka } from "../../../src/integrations/kafka/index.ts";
import { createLogger } from "../../../src/platform/logging.ts";
import { loadSettings } from "../../../src/settings.ts";
import { eventually } from "../../platform/kafka/eventually.ts";
import { MemoryBroker } from "../../../src/platform/kafka/memory-broker.ts";
import { createTestApp } from "../../support.ts";
import { createFakes } from "../index.ts";
import { createFake } from "./fake.ts";

test("a published event reaches its handler", async () => {
  const lines: string[] = [];
  const settings = loadSettings({ LOG_LEVEL: "debug" });
  const log = createLogger(settings, { write: (line) => void lines.push(line) });
  const fake = createFake();
  const overrides = { ...createFakes(), kafka: fake };
  const { deps } = await createDeps(settings, log, new Registry(), overrides);
  const work = fake.consume(handlers, deps);
  await fake.publish(receiptScanned, { receiptId: "r-1", retailer: "Target", totalCents: 649 });
  await eventually(() => expect(lines.join("")).toContain("receipt scanned"));
  await work.stop();
});

test("the service is not ready without its broker", async () => {
  const broker = new MemoryBroker();
  broker.down.add("*");
  await using app = await createTestApp({ deps: { kafka: createFake(broker) } });
  const response = await app.inject({ method: "GET", url: "/health/ready" });
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ checks: { kafka: "unhealthy" } });
});

test("opens and closes with no broker anywhere", async () => {
  const settings = loadSettings({ KAFKA_BROKERS: "127.0.0.1:1" });
  const log = createLogger(settings, { write: () => {} });
  const client = await kafka.open(settings, log, new Registry());
  await expect(kafka.check(client)).rejects.toThrow("Cannot connect");
  await kafka.close(client);
});

test.each([
  [{ KAFKA_BROKERS: "localhost" }, "KAFKA_BROKERS"],
  [{ KAFKA_TOPIC: "a topic" }, "KAFKA_TOPIC"],
  [{ USE_MSK_IAM: "perhaps" }, "USE_MSK_IAM"],
  [{ KAFKA_SESSION_TIMEOUT: "10" }, "KAFKA_SESSION_TIMEOUT"],
])("%j is refused", (env, variable) => {
  expect(() => loadSettings(env)).toThrow(variable);
});
