import { Registry } from "@prometheus-io/client";
import { createKafka, type Kafka } from "../../../src/platform/kafka/kafka.ts";
import { MemoryBroker } from "../../../src/platform/kafka/memory-broker.ts";

/** Kafka without a network: everything but the client library is real. */
export function createFake(broker = new MemoryBroker()): Kafka {
  return createKafka(broker, {
    topic: "events",
    group: "test",
    metrics: new Registry(),
    retryMs: 1,
    batchMs: 20,
  });
}
