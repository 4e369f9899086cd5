import type { Admin, Producer } from "@platformatic/kafka";
import { connectionOptions, type KafkaSettings } from "./connection.ts";
import { joinGroup } from "./membership.ts";
import { patiently } from "./patience.ts";
import type { KafkaPort, OutgoingRecord } from "./port.ts";

/** Time for the answer to a check. */
const CHECK_TIMEOUT_MS = 1_000;
/** A connection that says nothing for so long is replaced; replicas get five seconds of it. */
const SEND_TIMEOUT_MS = 7_000;

/**
 * The port on @platformatic/kafka. The library takes most of a second to load: that begins here and nobody waits for
 * it. Nothing is connected before it is needed, so a broker that is down stops no start.
 */
export function connectKafka(settings: KafkaSettings): KafkaPort {
  const options = connectionOptions(settings);
  const library = import("@platformatic/kafka");
  library.catch(() => {}); // Whoever needs it hears of it.
  let admin: Admin | undefined;
  /** One for each topic, as a connection answers one request after the other. */
  const producers = new Map<string, Producer>();

  async function producerOf(topic: string): Promise<Producer> {
    const kafka = await library;
    let producer = producers.get(topic);
    if (producer === undefined) {
      producer = new kafka.Producer({
        ...options,
        requestTimeout: SEND_TIMEOUT_MS,
        acks: kafka.ProduceAcks.ALL,
        idempotent: true,
        partitioner: takingTurns(kafka.compatibilityPartitioner),
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
        throw error;
      }
    },
    async join(group, topic, signal) {
      return joinGroup(await library, { options, settings, group, topic, signal });
    },
    async check(topic) {
      const kafka = await library;
      admin ??= new kafka.Admin({
        ...options,
        retries: 0,
        connectTimeout: CHECK_TIMEOUT_MS,
        requestTimeout: CHECK_TIMEOUT_MS,
        timeout: CHECK_TIMEOUT_MS,
      });
      await admin.metadata({ topics: [topic], forceUpdate: true });
    },
    async close() {
      const clients = [...producers.values(), ...(admin === undefined ? [] : [admin])];
      await patiently(Promise.all(clients.map((client) => client.close())));
    },
  };
}

type Partitioner<Message> = (message: Message, key: Buffer | undefined) => number;

/**
 * Records with a key go to the partition that Java and Python clients choose for it.
 * @param keyed chooses it; to records without a key it gives the first partition, all of them.
 */
export function takingTurns<Message>(keyed: Partitioner<Message>): Partitioner<Message> {
  let turn = Math.floor(Math.random() * 1_000);
  return (message, key) => (key === undefined ? (turn += 1) : keyed(message, key));
}

function toMessage({ topic, key, value, headers }: OutgoingRecord) {
  return {
    topic,
    ...(key && { key }),
    // The library wants the property, and writes a tombstone for undefined.
    value: value as Buffer,
    // By buffers, and not by names, of which the same may come several times.
    headers: new Map(headers.map(([name, text]) => [bytesOf(name)!, bytesOf(text)!])),
  };
}

function bytesOf(text: Buffer | string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text as string);
}
