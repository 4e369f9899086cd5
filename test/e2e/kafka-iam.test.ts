import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { postEvent } from "./events.ts";
import { compare } from "./processed.ts";
import { startService } from "./service/run.ts";
import { startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

const TOKEN_SECONDS = 20;
// Every connection needs several tokens in this time.
const TRAFFIC_MS = 45_000;
const PAUSE_MS = 100;

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings({ tokenSeconds: TOKEN_SECONDS });
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

const services = Object.entries(inject("services"));

// Beside each other, as most of it is waiting. No token of the services that follow may be among those refused here.
describe.concurrent.each(services)("%s: signed tokens", (name, directory) => {
  it("are replaced before they run out, and nobody notices", async () => {
    const { kafka } = surroundings;
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, withIam(group.environment));
    await service.untilReady();
    const sent: string[] = [];
    const statuses = new Set<number>();
    // A broker's first connections are slow, and a check may complain of that.
    await delay(TOKEN_SECONDS * 1000);
    const { length: before } = await service.lines();
    const end = Date.now() + TRAFFIC_MS;
    while (Date.now() < end) {
      const { id, status } = await postEvent(service);
      statuses.add(status).add((await service.ready()).status);
      sent.push(id);
      await delay(PAUSE_MS);
    }
    await until("all events processed", async () => {
      return compare(sent, await group.processed.ids()).missing.length === 0;
    });
    expect(statuses).toEqual(new Set([200, 202]));
    expect(compare(sent, await group.processed.ids()).duplicates).toBe(0);
    const lines = (await service.lines()).slice(before);
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
    expect(kafka.log()).not.toContain("token refused");
    const accepted = count(kafka.log(), "token accepted");
    process.stdout.write(`${name}: ${sent.length} events, ${accepted} tokens of 20 s so far\n`);
  });
});

describe.each(services)("%s: signed tokens", (_name, directory) => {
  it("with a wrong signature are refused, and the service says that it lacks Kafka", async () => {
    const wrongSignature = "token refused: wrong signature";
    const refusedBefore = count(surroundings.kafka.log(), wrongSignature);
    await using group = await surroundings.newGroup();
    const environment = { ...withIam(group.environment), AWS_SECRET_ACCESS_KEY: "another" };
    await using service = await startService(directory, environment);
    await until("a check that failed", async () => {
      return (await service.ready()).checks["kafka"] === "unhealthy";
    });
    expect((await service.ready()).status).toBe(503);
    expect(count(surroundings.kafka.log(), wrongSignature)).toBeGreaterThan(refusedBefore);
  });
});

/** Settings as they are when deployed. */
function withIam(environment: Record<string, string>): Record<string, string> {
  const { iamBrokers, certificate } = surroundings.kafka;
  return {
    ...environment,
    ENVIRONMENT: "stage",
    USE_MSK_IAM: "true",
    KAFKA_BROKERS: iamBrokers,
    NODE_EXTRA_CA_CERTS: certificate,
  };
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
