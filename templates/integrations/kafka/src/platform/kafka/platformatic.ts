import type { Admin, Producer } from "@platformatic/kafka";
import { connectionOptions, type KafkaSettings } from "./connection.ts";
import { closed, joinGroup } from "./group-member.ts";
import { explainTopic, isError, type Library } from "./library.ts";
import { type KafkaPort, type OutgoingRecord, RecordTooLargeError } from "./port.ts";

/** Time for the answer to a check. */
const CHECK_TIMEOUT_MS = 1_000;
/** A connection that is silent for so long is replaced; replicas get five seconds of it. */
const SEND_TIMEOUT_MS = 7_000;

/**
 * The port on @platformatic/kafka. The library takes most of a second to load: that begins here, and nothing waits for
 * it. Nothing is connected before it is needed, so a broker that is down does not hold up the start.
 */
export function connectKafka(settings: KafkaSettings): KafkaPort {
  const options = connectionOptions(settings);
  const library = import("@platformatic/kafka");
  library.catch(() => {}); // Its users get the error.
  let admin: Admin | undefined;
  /** One for each topic, as a connection answers one request after the other. */
  const producers = new Map<string, Producer>();

  async function producerOf(topic: string): Promise<Producer> {
    const { Producer: Client, ProduceAcks, compatibilityPartitioner } = await library;
    let producer = producers.get(topic);
    if (producer === undefined) {
      producer = new Client({
        ...options,
        requestTimeout: SEND_TIMEOUT_MS,
        acks: ProduceAcks.ALL,
        idempotent: true,
        partitioner: roundRobin(compatibilityPartitioner),
      });
      producers.set(topic, producer);
    }
    return producer;
  }

  return {
    async send(records) {
      const [first] = records;
      if (first === undefined) return;
      const producer = await producerOf(first.topic);
      const compression = records.some(({ compressed }) => compressed === true) ? "gzip" : "none";
      try {
        await producer.send({ messages: records.map(toMessage), compression });
      } catch (error) {
        // Its sequence numbers may have a gap now, and the brokers would refuse everything after it.
        if (producers.get(first.topic) === producer) producers.delete(first.topic);
        void producer.close().catch(() => {});
        throw explainSend(await library, first.topic, error as Error);
      }
    },
    async join(join, reader) {
      return joinGroup(await library, settings, join, reader);
    },
    async check(topic) {
      const { Admin: Client } = await library;
      admin ??= new Client({
        ...options,
        retries: 0,
        connectTimeout: CHECK_TIMEOUT_MS,
        requestTimeout: CHECK_TIMEOUT_MS,
        timeout: CHECK_TIMEOUT_MS,
      });
      try {
        await admin.metadata({ topics: [topic], forceUpdate: true });
      } catch (cause) {
        throw explainTopic(await library, topic, cause as Error);
      }
    },
    async close() {
      const clients = [...producers.values(), ...(admin === undefined ? [] : [admin])];
      await closed(Promise.all(clients.map((client) => client.close())));
    },
  };
}

function explainSend(library: Library, topic: string, cause: Error): Error {
  return isError(library, cause, "MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE")
    ? new RecordTooLargeError(`larger than what ${topic} accepts`, { cause })
    : explainTopic(library, topic, cause);
}

type Partitioner<Message> = (message: Message, key: Buffer | undefined) => number;

/**
 * Records with a key go to the partition that Java and Python clients choose for it, all others to each in turn.
 * @param keyed chooses for a key; records without one it would all put into the same partition.
 */
export function roundRobin<Message>(keyed: Partitioner<Message>): Partitioner<Message> {
  let turn = Math.floor(Math.random() * 1_000);
  return (message, key) => (key === undefined ? (turn += 1) : keyed(message, key));
}

function toMessage({ topic, key, value, headers }: OutgoingRecord) {
  return {
    topic,
    ...(key && { key }),
    // The library wants the property, and writes a tombstone for undefined.
    value: value as Buffer,
    // By buffers, and not by names: the same name may come several times.
    headers: new Map(headers.map(([name, text]) => [bytesOf(name)!, bytesOf(text)!])),
  };
}

function bytesOf(text: Buffer | string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text as string);
}
