import type { Registry } from "@prometheus-io/client";
import type { z } from "zod";
import type { Background, ServiceDeps } from "../lifespan.ts";
import { withTimeout } from "../timing.ts";
import { startConsumer } from "./consumer.ts";
import { createDeadlines } from "./deadlines.ts";
import { createDelivery, type EventHandler, type UnknownTypes } from "./delivery.ts";
import type { EventCodec, EventDefinition } from "./events.ts";
import { createKafkaMetrics, type KafkaMetrics } from "./metrics.ts";
import type { KafkaPort, OutgoingRecord } from "./port.ts";
import { createPublisher, type Publisher, type PublishTopic } from "./publisher.ts";

/** A topic that the service consumes. */
export interface Subscription {
  topic: string;
  handlers: readonly EventHandler[];
  /** When left out: the service's own group, and for other topics than its own `<group>-<topic>`. */
  group?: string;
  /** Events of other types become dead letters when left out; "ignore" only counts them. */
  unknownTypes?: UnknownTypes;
  /** JSON when left out. */
  codec?: EventCodec;
}

/** The service's events: what handlers find as `deps.kafka`. */
export interface Kafka {
  /**
   * Writes an event to the service's topic, or to another one; resolves when every in-sync replica has it.
   * @returns the event's id.
   * @throws {AppError} EXTERNAL_SERVICE_ERROR when that took too long (it may have arrived all the same); OVERLOADED
   * when too many wait.
   */
  publish<Schema extends z.ZodType>(
    definition: EventDefinition<Schema>,
    data: z.input<Schema>,
    to?: Partial<PublishTopic>,
  ): Promise<string>;
  /**
   * Consumes topics from now on; handlers alone are for the service's own topic. What has no handlers is not consumed.
   * @throws when a topic is there twice.
   */
  consume(what: readonly EventHandler[] | readonly Subscription[], deps: ServiceDeps): Background;
  /** Rejects when the topic cannot be reached. */
  check(): Promise<void>;
  /** Sends what waits, and closes. */
  close(): Promise<void>;
}

export interface KafkaOptions {
  topic: string;
  group: string;
  metrics: Registry;
  /** How the service's own topic is written; JSON when left out. */
  codec?: EventCodec;
  /** How long a handler may take for an event; five minutes when left out. */
  eventTimeoutMs?: number;
  /** For tests: times of the delivery and of the consumer. */
  retryMs?: number;
  batchMs?: number;
  stopMs?: number;
  commitMs?: number;
}

const EVENT_TIMEOUT_MS = 300_000;
const CLOSE_MS = 2_000;

/** The service's events on a port: the real one, or the one in memory. */
export function createKafka(port: KafkaPort, options: KafkaOptions): Kafka {
  const metrics = createKafkaMetrics(options.metrics);
  const publisher = createPublisher(port, metrics);
  const { topic, codec } = options;
  return {
    publish: (definition, data, to) => publisher.publish({ topic, codec, ...to }, definition, data),
    consume(what, deps) {
      const subscriptions = subscriptionsOf(what, options);
      const consumers = subscriptions.map((subscription) =>
        consumeTopic(port, publisher, metrics, options, subscription, deps),
      );
      return {
        async check() {
          await Promise.all(consumers.map((consumer) => consumer.check()));
        },
        async stop() {
          await Promise.all(consumers.map((consumer) => consumer.stop()));
        },
      };
    },
    check: () => port.check(topic),
    async close() {
      await withTimeout(publisher.drain(), CLOSE_MS).catch(() => {});
      await port.close();
    },
  };
}

function subscriptionsOf(
  what: readonly EventHandler[] | readonly Subscription[],
  { topic, codec }: KafkaOptions,
): Subscription[] {
  const isHandler = (item: EventHandler | Subscription): item is EventHandler =>
    "definition" in item;
  const handlers = what.filter(isHandler);
  const subscriptions = what.filter((item): item is Subscription => !isHandler(item));
  if (handlers.length > 0) subscriptions.push({ topic, handlers, ...(codec && { codec }) });
  const topics = subscriptions.map((subscription) => subscription.topic);
  const twice = topics.find((name, index) => topics.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`the topic ${twice} is consumed twice`);
  return subscriptions.filter((subscription) => subscription.handlers.length > 0);
}

function consumeTopic(
  port: KafkaPort,
  publisher: Publisher,
  metrics: KafkaMetrics,
  options: KafkaOptions,
  subscription: Subscription,
  deps: ServiceDeps,
): Background {
  const { topic, handlers, unknownTypes, codec } = subscription;
  const { eventTimeoutMs = EVENT_TIMEOUT_MS, retryMs, batchMs, stopMs, commitMs } = options;
  const own = topic === options.topic ? options.group : `${options.group}-${topic}`;
  const group = subscription.group ?? own;
  const deadlines = createDeadlines(eventTimeoutMs);
  const delivery = createDelivery({
    handlers,
    deps,
    group,
    metrics,
    deadlines,
    write: (record) => writeLetter(port, publisher, record),
    ...(codec && { codec }),
    ...(unknownTypes && { unknownTypes }),
    ...(retryMs !== undefined && { retryMs }),
  });
  const consumer = startConsumer({
    port,
    topic,
    group,
    delivery,
    metrics,
    eventTimeoutMs,
    log: deps.log,
    ...(batchMs !== undefined && { batchMs }),
    ...(stopMs !== undefined && { stopMs }),
    ...(commitMs !== undefined && { commitMs }),
  });
  return {
    check: () => consumer.check(),
    async stop() {
      await consumer.stop();
      deadlines[Symbol.dispose]();
    },
  };
}

/** @throws what is wrong with the dead letter topic, if that can be found out. */
async function writeLetter(
  port: KafkaPort,
  publisher: Publisher,
  record: OutgoingRecord,
): Promise<void> {
  try {
    await publisher.write(record);
  } catch (error) {
    await port.check(record.topic);
    throw error;
  }
}
