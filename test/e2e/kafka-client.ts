import { randomUUID } from "node:crypto";

import {
  Admin,
  Consumer,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  ProduceAcks,
  Producer,
  stringDeserializer,
  stringSerializers,
} from "@platformatic/kafka";

/** A record as the tests see it. */
export interface Message {
  key: string;
  value: string;
  headers: Record<string, string>;
}

const PARTITIONS = 6;
const BATCH = 500;
const clientId = "test";

/** A topic and its dead letter topic, under names of their own. */
export async function createTopic(brokers: string): Promise<string> {
  const topic = `events-${randomUUID()}`;
  const admin = new Admin({ clientId, bootstrapBrokers: [brokers] });
  try {
    const topics = [topic, `${topic}.dlq`];
    await admin.createTopics({ topics, partitions: PARTITIONS, replicas: 1 });
  } finally {
    await admin.close();
  }
  return topic;
}

/** Writes to one topic. */
export interface Publisher extends AsyncDisposable {
  /** Returns when every record is acknowledged. */
  publish: (records: Message[]) => Promise<void>;
}

export function openPublisher(brokers: string, topic: string): Publisher {
  const producer = new Producer({
    clientId,
    bootstrapBrokers: [brokers],
    acks: ProduceAcks.ALL,
    idempotent: true,
    serializers: stringSerializers,
  });
  return {
    publish: async (records) => {
      for (let start = 0; start < records.length; start += BATCH) {
        const messages = records.slice(start, start + BATCH).map((record) => ({
          topic,
          ...record,
          headers: new Map(Object.entries(record.headers)),
        }));
        await producer.send({ messages });
      }
    },
    [Symbol.asyncDispose]: () => producer.close(),
  };
}

/** Reads the first `count` records of a topic. */
export async function read(brokers: string, topic: string, count: number): Promise<Message[]> {
  const consumer = new Consumer({
    clientId,
    groupId: randomUUID(),
    bootstrapBrokers: [brokers],
    autocommit: false,
    deserializers: {
      key: stringDeserializer,
      value: stringDeserializer,
      headerKey: stringDeserializer,
      headerValue: stringDeserializer,
    },
  });
  const messages: Message[] = [];
  try {
    const stream = await consumer.consume({
      topics: [topic],
      mode: MessagesStreamModes.EARLIEST,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    });
    for await (const { key, value, headers } of stream) {
      messages.push({ key, value, headers: Object.fromEntries(headers) });
      if (messages.length === count) break;
    }
  } finally {
    await consumer.close(true);
  }
  return messages;
}

/** How many records a group has not committed yet. */
export async function lagOf(brokers: string, topic: string, groupId: string): Promise<number> {
  const admin = new Admin({ clientId, bootstrapBrokers: [brokers] });
  try {
    const partitionIndexes = Array.from({ length: PARTITIONS }, (_, index) => index);
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
  } finally {
    await admin.close();
  }
}

function sum(offsets: bigint[] = []): number {
  return offsets.reduce((total, offset) => total + Number(offset), 0);
}
