import type { Registry } from "@prometheus-io/client";
import { consumerGroup } from "../../platform/kafka/connection.ts";
import { createKafka, type Kafka } from "../../platform/kafka/kafka.ts";
import { MemoryBroker } from "../../platform/kafka/memory-broker.ts";
import { connectKafka } from "../../platform/kafka/platformatic.ts";
import type { Integration } from "../../platform/lifespan.ts";
import type { Settings } from "../../settings.ts";
import { subscriptions } from "./handlers.ts";

export const kafka: Integration<Kafka, Settings> = {
  open: (settings, _log, metrics) =>
    createKafka(connectKafka(settings), optionsOf(settings, metrics)),
  openInMemory: (settings, _log, metrics) =>
    createKafka(new MemoryBroker(), optionsOf(settings, metrics)),
  check: (client) => client.check(),
  close: (client) => client.close(),
  background: (client, deps) => client.consume(subscriptions(deps.settings), deps),
};

function optionsOf(settings: Settings, metrics: Registry) {
  return {
    topic: settings.KAFKA_TOPIC,
    group: consumerGroup(settings),
    metrics,
    eventTimeoutMs: settings.KAFKA_EVENT_TIMEOUT * 1_000,
  };
}
