import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { USER } from "../stack/kafka/properties.ts";
import { postEvent } from "./events.ts";
import { startService } from "./service/run.ts";
import { startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

// Nothing of this depends on the framework.
const [[, directory]] = Object.entries(inject("services")) as [[string, string]];

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

describe("a service that is deployed without IAM", () => {
  it("signs in with a user and its password", async () => {
    const { scramBrokers } = surroundings.kafka;
    const { name: KAFKA_USERNAME, password: KAFKA_PASSWORD } = USER;
    const user = { KAFKA_BROKERS: scramBrokers, KAFKA_USERNAME, KAFKA_PASSWORD };
    await expectToWork(user);
    await expectRefused({ ...user, KAFKA_PASSWORD: "another" });
  });

  it("shows its certificate", async () => {
    const { mtlsBrokers, clientCertificate, clientKey } = surroundings.kafka;
    const certificate = { KAFKA_TLS_CERT: clientCertificate, KAFKA_TLS_KEY: clientKey };
    await expectToWork({ KAFKA_BROKERS: mtlsBrokers, ...certificate });
    await expectRefused({ KAFKA_BROKERS: mtlsBrokers, USE_MSK_IAM: "false" });
  });
});

async function expectToWork(settings: Record<string, string>): Promise<void> {
  await using group = await surroundings.newGroup();
  await using service = await startService(directory, environmentOf(group.environment, settings));
  await service.untilReady();
  const { id, status } = await postEvent(service);
  expect(status).toBe(202);
  await until("the event", async () => (await group.processed.ids()).includes(id));
}

async function expectRefused(settings: Record<string, string>): Promise<void> {
  await using group = await surroundings.newGroup();
  await using service = await startService(directory, environmentOf(group.environment, settings));
  await until("a check that failed", async () => {
    return (await service.ready()).checks["kafka"] === "unhealthy";
  });
}

/** As when deployed: only the broker's certificate is trusted by a setting. */
function environmentOf(
  environment: Record<string, string>,
  settings: Record<string, string>,
): Record<string, string> {
  const { certificate: KAFKA_TLS_CA } = surroundings.kafka;
  return { ...environment, ENVIRONMENT: "stage", USE_MSK_IAM: "", KAFKA_TLS_CA, ...settings };
}
