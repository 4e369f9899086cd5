import { randomUUID } from "node:crypto";

import {
  Admin,
  Consumer,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  ProduceAcks,
  Producer,
} from "@platformatic/kafka";

/** A record as the tests see it. */
export interface Message {
  key: string;
  value: string;
  headers: Record<string, string>;
}

/** A record as any client may write it. */
export interface OddMessage {
  key: string;
  /** Undefined for a tombstone. */
  value: string | Buffer | undefined;
  headers: Record<string, string | undefined>;
}

const PARTITIONS = 6;
const BATCH = 500;
const clientId = "test";

/** A topic and its dead letter topic, under names of their own. */
export async function createTopic(brokers: string): Promise<string> {
  const topic = `events-${randomUUID()}`;
  await createTopics(brokers, topic, `${topic}.dlq`);
  return topic;
}

/** @param names the topics, and at the end, if at all, their configuration. */
export async function createTopics(
  brokers: string,
  ...names: (string | Record<string, string>)[]
): Promise<void> {
  const topics = names.filter((name) => typeof name === "string");
  const configs = names
    .filter((name) => typeof name !== "string")
    .flatMap((config) => Object.entries(config).map(([name, value]) => ({ name, value })));
  await withAdmin(brokers, (admin) =>
    admin.createTopics({ topics, partitions: PARTITIONS, replicas: 1, configs }),
  );
}

/** Raises a topic's number of partitions. */
export async function addPartitions(brokers: string, topic: string, count: number): Promise<void> {
  const assignments = Array.from({ length: count - PARTITIONS }, () => ({ brokerIds: [1] }));
  await withAdmin(brokers, (admin) =>
    admin.createPartitions({ topics: [{ name: topic, count, assignments }] }),
  );
}

export async function deleteTopic(brokers: string, topic: string): Promise<void> {
  await withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
}

/** Deletes all records, as a topic's retention does. */
export async function deleteRecords(brokers: string, topic: string): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({
    partition,
    offset: -1n,
  }));
  await withAdmin(brokers, (admin) =>
    admin.deleteRecords({ topics: [{ name: topic, partitions }] }),
  );
}

async function withAdmin<Result>(
  brokers: string,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = new Admin({ clientId, bootstrapBrokers: [brokers] });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

/** Writes to one topic. */
export interface Publisher extends AsyncDisposable {
  /** Returns when every record is acknowledged. */
  publish: (records: OddMessage[], compression?: "none" | "gzip") => Promise<void>;
}

export function openPublisher(brokers: string, topic: string): Publisher {
  const producer = new Producer({
    clientId,
    bootstrapBrokers: [brokers],
    acks: ProduceAcks.ALL,
    idempotent: true,
  });
  return {
    publish: async (records, compression = "none") => {
      for (let start = 0; start < records.length; start += BATCH) {
        const messages = records.slice(start, start + BATCH).map(({ key, value, headers }) => ({
          topic,
          key: Buffer.from(key),
          value: bytesOf(value)!,
          headers: new Map(
            Object.entries(headers).map(([name, text]) => [Buffer.from(name), bytesOf(text)!]),
          ),
        }));
        await producer.send({ messages, compression });
      }
    },
    [Symbol.asyncDispose]: () => producer.close(),
  };
}

function bytesOf(value: string | Buffer | undefined): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(value as string);
}

/** Reads the first `count` records of a topic. `bytes` are what `value` has as text. */
export async function read(
  brokers: string,
  topic: string,
  count: number,
): Promise<(Message & { bytes: Buffer | undefined })[]> {
  const consumer = new Consumer({
    clientId,
    groupId: randomUUID(),
    bootstrapBrokers: [brokers],
    autocommit: false,
  });
  const messages: Awaited<ReturnType<typeof read>> = [];
  try {
    const stream = await consumer.consume({
      topics: [topic],
      mode: MessagesStreamModes.EARLIEST,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    });
    for await (const { key, value, headerEntries } of stream) {
      const headers = headerEntries.map(([name, text]) => [String(name), String(text)]);
      const message = { key: String(key), value: String(value), bytes: value };
      messages.push({ ...message, headers: Object.fromEntries(headers) });
      if (messages.length === count) break;
    }
  } finally {
    await consumer.close(true);
  }
  return messages;
}

/** How many records a group has not committed yet. */
export function lagOf(brokers: string, topic: string, groupId: string): Promise<number> {
  return withAdmin(brokers, async (admin) => {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true });
    const count = topics.get(topic)?.partitionsCount ?? 0;
    const partitionIndexes = Array.from({ length: count }, (_, index) => index);
    const partitions = partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      timestamp: -1n,
    }));
    const [ends] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
    const [group] = await admin.listConsumerGroupOffsets({
      groups: [{ groupId, topics: [{ name: topic, partitionIndexes }] }],
    });
    const written = sum(ends?.partitions.map(({ offset }) => offset));
    const committed = group?.topics[0]?.partitions.map(({ committedOffset }) => committedOffset);
    return written - sum(committed?.filter((offset) => offset >= 0n));
  });
}

function sum(offsets: bigint[] = []): number {
  return offsets.reduce((total, offset) => total + Number(offset), 0);
}
