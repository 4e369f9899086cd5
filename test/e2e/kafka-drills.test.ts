import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { newEvents, postEvent } from "./events.ts";
import { addPartitions, lagOf, openPublisher } from "./kafka-client.ts";
import { compare, openProcessed, type Processed } from "./processed.ts";
import { startMember } from "./python.ts";
import { type Service, startService } from "./service/run.ts";
import { type Group, startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

// Of four drills, together more than 100,000 for each framework.
const RECORDS = 30_000;
const REQUESTS = 15_000;
const BATCH = 500;
const SENDERS = 50;
const OUTAGE_MS = 10_000;
const FEED_PAUSE_MS = 100;
// A record takes a while, so that a batch is always under way.
const SLOW = { SLOW_MS: "2" };
const MIDDLE = RECORDS / 3 + BATCH / 2;

type Reader = Pick<Processed, "ids">;

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

const services = Object.entries(inject("services"));

// Beside each other, as most of it is waiting for the end of the dead members' sessions.
describe.concurrent.each(services)("%s: no record is lost", (name, directory) => {
  it("when the service is killed in the middle of a batch", async () => {
    await using group = await surroundings.newGroup();
    const sent = await publishAll(group);
    await using victim = await startService(directory, { ...group.environment, ...SLOW });
    await untilProcessed(group.processed, MIDDLE);
    await victim.kill();
    expect((await group.processed.ids()).length).toBeLessThan(RECORDS);
    await using _heir = await startService(directory, group.environment);
    await untilAllProcessed(group.processed, sent);
    await report(`${name}, service killed`, group.processed, sent);
  });
});

describe.each(services)("%s: no record is lost", (name, directory) => {
  it("and none is processed twice when the service is told to stop in the middle of a batch", async () => {
    await using group = await surroundings.newGroup();
    const sent = await publishAll(group);
    await using leaver = await startService(directory, { ...group.environment, ...SLOW });
    await untilProcessed(group.processed, MIDDLE);
    leaver.signal("SIGTERM");
    expect(await leaver.exited).toEqual({ code: 0, signal: null });
    const { length: done } = await group.processed.ids();
    expect(done).toBeLessThan(RECORDS);
    expect(await lagOf(surroundings.kafka.brokers, group.topic, group.name)).toBe(RECORDS - done);
    await using _heir = await startService(directory, group.environment);
    await untilAllProcessed(group.processed, sent);
    expect(await report(`${name}, service stopped`, group.processed, sent)).toBe(0);
  });

  it("when a second service comes and the first one goes", async () => {
    await using group = await surroundings.newGroup();
    await using second = openProcessed();
    const feed = startFeed(group);
    await using leaver = await startService(directory, group.environment);
    await untilProcessed(group.processed, BATCH);
    const environment = { ...group.environment, PROCESSED: second.path };
    await using _heir = await startService(directory, environment);
    await untilProcessed(second, BATCH);
    leaver.signal("SIGTERM");
    expect(await leaver.exited).toEqual({ code: 0, signal: null });
    const sent = await feed.stop(RECORDS);
    const both = { ids: async () => [...(await group.processed.ids()), ...(await second.ids())] };
    await untilAllProcessed(both, sent);
    await report(`${name}, rebalance`, both, sent);
  });

  it("when a Python member comes and goes, and the topic gets partitions", async () => {
    await using group = await surroundings.newGroup();
    const { brokers } = surroundings.kafka;
    const { topic } = group;
    const feed = startFeed(group);
    await using _service = await startService(directory, group.environment);
    await untilProcessed(group.processed, BATCH);
    const keys: string[] = [];
    const both = { ids: async () => [...(await group.processed.ids()), ...keys] };
    {
      const member = { client: "aiokafka", brokers, group: group.name, topic } as const;
      await using python = await startMember(member);
      await until("records at the other member", () => python.keys().length > BATCH);
      await addPartitions(brokers, topic, 12);
      await until("more of them", () => python.keys().length > 3 * BATCH);
      // What it has read and not committed comes again.
      keys.push(...python.keys());
    }
    const sent = await feed.stop(RECORDS);
    await untilAllProcessed(both, sent);
    await report(`${name}, Python member and more partitions`, both, sent);
  });

  it("when the broker is killed for ten seconds, and what was accepted comes through", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await service.untilReady();
    const traffic = startTraffic(service, REQUESTS);
    await until("a quarter of the traffic", () => traffic.accepted.length > REQUESTS / 4);
    await surroundings.kafka.stop("SIGKILL");
    await delay(OUTAGE_MS);
    await surroundings.kafka.start();
    await traffic.done;
    await untilAllProcessed(group.processed, traffic.accepted);
    process.stdout.write(`${name}, broker killed: ${traffic.refused} requests were refused\n`);
    await report(`${name}, broker killed`, group.processed, traffic.accepted);
  });
});

async function publishAll(group: Group): Promise<string[]> {
  const events = newEvents(RECORDS);
  await using publisher = openPublisher(surroundings.kafka.brokers, group.topic);
  await publisher.publish(events.map(({ message }) => message));
  return events.map(({ id }) => id);
}

/** Publishes a batch now and then. `stop` gives all ids, once there are so many. */
function startFeed(group: Group): { stop: (atLeast: number) => Promise<string[]> } {
  const sent: string[] = [];
  let enough = Infinity;
  const feeding = (async () => {
    await using publisher = openPublisher(surroundings.kafka.brokers, group.topic);
    while (sent.length < enough) {
      const events = newEvents(BATCH);
      await publisher.publish(events.map(({ message }) => message));
      sent.push(...events.map(({ id }) => id));
      await delay(FEED_PAUSE_MS);
    }
  })();
  return {
    stop: async (atLeast) => {
      enough = atLeast;
      await feeding;
      return sent;
    },
  };
}

async function untilProcessed(processed: Reader, count: number): Promise<void> {
  await until(`${count} records processed`, async () => (await processed.ids()).length >= count);
}

async function untilAllProcessed(processed: Reader, sent: string[]): Promise<void> {
  await until("all records processed", async () => {
    const { missing } = compare(sent, await processed.ids());
    return missing.length === 0;
  });
}

/** @returns the number of duplicates. */
async function report(drill: string, processed: Reader, sent: string[]): Promise<number> {
  const { missing, duplicates } = compare(sent, await processed.ids());
  expect(missing).toEqual([]);
  process.stdout.write(`${drill}: ${sent.length} acknowledged, 0 lost, ${duplicates} duplicates\n`);
  return duplicates;
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
