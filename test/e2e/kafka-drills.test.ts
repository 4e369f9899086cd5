import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { newEvents, postEvent } from "./events.ts";
import { lagOf, publish } from "./kafka-client.ts";
import { compare } from "./processed.ts";
import { type Service, startService } from "./service/run.ts";
import { type Group, startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

// Of four drills, together more than 100,000 for each framework.
const RECORDS = 30_000;
const SENDERS = 50;
const OUTAGE_MS = 10_000;

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

describe.each(Object.entries(inject("services")))("%s: no record is lost", (name, directory) => {
  it("when the service is killed in the middle of a batch", async () => {
    await using group = await surroundings.newGroup();
    const sent = await publishAll(group);
    await using victim = await startService(directory, group.environment);
    await untilProcessed(group, RECORDS / 3);
    await victim.kill();
    await using _heir = await startService(directory, group.environment);
    await untilAllProcessed(group, sent);
    await report(`${name}, service killed`, group, sent);
  });

  it("and none is processed twice when the service is told to stop in the middle of a batch", async () => {
    await using group = await surroundings.newGroup();
    const sent = await publishAll(group);
    await using leaver = await startService(directory, group.environment);
    await untilProcessed(group, RECORDS / 3);
    leaver.signal("SIGTERM");
    expect(await leaver.exited).toEqual({ code: 0, signal: null });
    const { length: done } = await group.processed.ids();
    expect(await lagOf(surroundings.kafka.brokers, group.topic, group.name)).toBe(RECORDS - done);
    await using _heir = await startService(directory, group.environment);
    await untilAllProcessed(group, sent);
    expect(await report(`${name}, service stopped`, group, sent)).toBe(0);
  });

  it("when a second service comes and the first one goes", async () => {
    await using group = await surroundings.newGroup();
    await using second = await surroundings.newGroup();
    const sent = await publishAll(group);
    await using leaver = await startService(directory, group.environment);
    await untilProcessed(group, RECORDS / 4);
    await using _heir = await startService(directory, {
      ...group.environment,
      PROCESSED: second.processed.path,
    });
    await untilProcessed(second, 1);
    leaver.signal("SIGTERM");
    await leaver.exited;
    await until("all records processed", async () => {
      const ids = [...(await group.processed.ids()), ...(await second.processed.ids())];
      return new Set(ids).size === RECORDS;
    });
    const both = [...(await group.processed.ids()), ...(await second.processed.ids())];
    const { missing, duplicates } = compare(sent, both);
    expect(missing).toEqual([]);
    tell(`${name}, rebalance`, RECORDS, duplicates);
  });

  it("when the broker is killed for ten seconds, and what was accepted comes through", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await service.untilReady();
    const traffic = startTraffic(service, RECORDS);
    await until("a quarter of the traffic", () => traffic.accepted.length > RECORDS / 4);
    await surroundings.kafka.stop("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
    await surroundings.kafka.start();
    await traffic.done;
    await untilAllProcessed(group, traffic.accepted);
    process.stdout.write(`${name}, broker killed: ${traffic.refused} requests were refused\n`);
    await report(`${name}, broker killed`, group, traffic.accepted);
  });
});

async function publishAll(group: Group): Promise<string[]> {
  const events = newEvents(RECORDS);
  await publish(surroundings.kafka.brokers, group.topic, events.map(({ message }) => message));
  return events.map(({ id }) => id);
}

async function untilProcessed({ processed }: Group, count: number): Promise<void> {
  await until(`${count} records processed`, async () => (await processed.ids()).length >= count);
}

async function untilAllProcessed({ processed }: Group, sent: string[]): Promise<void> {
  await until("all records processed", async () => {
    const { missing } = compare(sent, await processed.ids());
    return missing.length === 0;
  });
}

/** @returns the number of duplicates. */
async function report(drill: string, { processed }: Group, sent: string[]): Promise<number> {
  const { missing, duplicates } = compare(sent, await processed.ids());
  expect(missing).toEqual([]);
  tell(drill, sent.length, duplicates);
  return duplicates;
}

function tell(drill: string, records: number, duplicates: number): void {
  process.stdout.write(`${drill}: ${records} acknowledged, 0 lost, ${duplicates} duplicates\n`);
}

interface Traffic {
  /** Ids of the events that were answered with 202. */
  accepted: string[];
  refused: number;
  /** When so many were accepted as were asked for. */
  done: Promise<unknown>;
}

/** Senders that post one event after the other; what is refused is not sent again. */
function startTraffic(service: Service, count: number): Traffic {
  const traffic: Traffic = { accepted: [], refused: 0, done: Promise.resolve() };
  const send = async (): Promise<void> => {
    while (traffic.accepted.length < count) {
      const { id, status } = await postEvent(service);
      if (status === 202) traffic.accepted.push(id);
      else traffic.refused += 1;
    }
  };
  traffic.done = Promise.all(Array.from({ length: SENDERS }, send));
  return traffic;
}
