import type { Registry } from "@prometheus-io/client";
import type { z } from "zod";
import type { ServiceDeps } from "../lifespan.ts";
import type { Background } from "../lifespan.ts";
import { startConsumer } from "./consumer.ts";
import { createDelivery, type EventHandler } from "./delivery.ts";
import type { EventDefinition } from "./events.ts";
import { createKafkaMetrics } from "./metrics.ts";
import { patiently } from "./patience.ts";
import type { KafkaPort } from "./port.ts";
import { createPublisher } from "./publisher.ts";

/** The service's events: what handlers find as `deps.kafka`. */
export interface Kafka {
  /**
   * Writes an event to the service's topic; resolves when every in-sync replica has it.
   * @returns the event's id.
   * @throws {AppError} EXTERNAL_SERVICE_ERROR when that took too long (it may all the same have arrived); OVERLOADED
   * when too many wait.
   */
  publish<Schema extends z.ZodType>(
    definition: EventDefinition<Schema>,
    data: z.input<Schema>,
  ): Promise<string>;
  /** Calls the handlers with the events of the service's topic, from now on. */
  consume(handlers: readonly EventHandler[], deps: ServiceDeps): Background;
  /** Rejects when the topic cannot be reached. */
  check(): Promise<void>;
  /** Sends what waits, and closes. */
  close(): Promise<void>;
}

export interface KafkaOptions {
  topic: string;
  group: string;
  metrics: Registry;
  /** For tests: times of the delivery and of the consumer. */
  retryMs?: number;
  batchMs?: number;
  stopMs?: number;
  commitMs?: number;
}

/** The service's events on a port: the real one, or one for tests. */
export function createKafka(
  port: KafkaPort,
  { topic, group, metrics: registry, ...times }: KafkaOptions,
): Kafka {
  const metrics = createKafkaMetrics(registry);
  const publisher = createPublisher(port, metrics);
  return {
    publish: (definition, data) => publisher.publish(topic, definition, data),
    consume(handlers, deps) {
      const { write } = publisher;
      const deliver = createDelivery({ handlers, deps, group, metrics, write, ...times });
      const { log } = deps;
      return startConsumer({ port, topic, group, deliver, metrics, log, ...times });
    },
    check: () => port.check(topic),
    async close() {
      await patiently(publisher.drain());
      await port.close();
    },
  };
}
