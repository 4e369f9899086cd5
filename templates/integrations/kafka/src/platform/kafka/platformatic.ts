import type { Admin, Producer } from "@platformatic/kafka";
import { connectionOptions, type KafkaSettings } from "./connection.ts";
import { joinGroup } from "./membership.ts";
import { patiently } from "./patience.ts";
import type { KafkaPort, OutgoingRecord } from "./port.ts";

/** Time for the answer to a check. */
const CHECK_TIMEOUT_MS = 1_000;

/**
 * The port on @platformatic/kafka. The library takes most of a second to load: that begins here and nobody waits for
 * it. Nothing is connected before it is needed, so a broker that is down stops no start.
 */
export function connectKafka(settings: KafkaSettings): KafkaPort {
  const options = connectionOptions(settings);
  const library = import("@platformatic/kafka");
  library.catch(() => {}); // Whoever needs it hears of it.
  let admin: Admin | undefined;
  let producer: Producer | undefined;

  return {
    async send(records) {
      const kafka = await library;
      producer ??= new kafka.Producer({
        ...options,
        acks: kafka.ProduceAcks.ALL,
        idempotent: true,
        // The partition that Java and Python clients choose for the same key.
        partitioner: kafka.compatibilityPartitioner,
      });
      const used = producer;
      try {
        await used.send({ messages: records.map(toMessage) });
      } catch (error) {
        // Its sequence numbers may have a gap now, and the brokers would refuse everything after it.
        if (producer === used) producer = undefined;
        void used.close().catch(() => {});
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
        timeout: CHECK_TIMEOUT_MS,
      });
      await admin.metadata({ topics: [topic], forceUpdate: true });
    },
    async close() {
      await patiently(Promise.all([admin?.close(), producer?.close()]));
    },
  };
}

function toMessage({ topic, key, value, headers }: OutgoingRecord) {
  return {
    topic,
    ...(key && { key }),
    // The library wants the property, and writes a tombstone for undefined.
    value: value as Buffer,
    headers: new Map(
      Array.from(headers, ([name, text]) => [Buffer.from(name), Buffer.from(text as string)]),
    ),
  };
}
