import { Registry } from "@prometheus-io/client";
import { z } from "zod";
import { createDeps, type Deps } from "../../../src/deps.ts";
import {
  type EventHandler,
  type HandlerContext,
  onEvent,
} from "../../../src/platform/kafka/delivery.ts";
import { type Event, defineEvent } from "../../../src/platform/kafka/events.ts";
import {
  createKafka,
  type Kafka,
  type KafkaOptions,
  type Subscription,
} from "../../../src/platform/kafka/kafka.ts";
import type { OutgoingRecord } from "../../../src/platform/kafka/port.ts";
import type { Background } from "../../../src/platform/lifespan.ts";
import { createLogger } from "../../../src/platform/logging.ts";
import { loadSettings } from "../../../src/settings.ts";
import { createFakes } from "../../integrations/index.ts";
import {
  MemoryBroker,
  type MemoryBrokerOptions,
} from "../../../src/platform/kafka/memory-broker.ts";

export const TOPIC = "events";

/** An event of these tests: what the service's own are does not matter here. */
export const counted = defineEvent({
  type: "counted",
  schema: z.object({
    key: z.string().refine((key) => key !== "trap" || BigInt(key) > 0n),
    count: z.int(),
  }),
  key: ({ key }) => key,
});

type Counted = z.output<typeof counted.schema>;

/** A consumer at work, its broker, and whatever can be seen of it. */
export interface RunningConsumer extends AsyncDisposable {
  broker: MemoryBroker;
  kafka: Kafka;
  work: Background;
  deps: Deps;
  metrics: Registry;
  logs: Record<string, unknown>[];
  /** What the handler was called with, as `key/count`. */
  handled: string[];
  /** The value of a metric. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
}

/** Keys that begin with a digit are in partition 0, all others in partition 1. */
export function newBroker(options: MemoryBrokerOptions = {}): MemoryBroker {
  return new MemoryBroker({ partitionOf: (key) => (/^\d/.test(key) ? 0 : 1), ...options });
}

type Times = Pick<KafkaOptions, "retryMs" | "batchMs" | "stopMs" | "commitMs" | "eventTimeoutMs">;

interface Options extends Times {
  broker?: MemoryBroker;
  /** Instead of the handler of counted events. */
  subscriptions?: Subscription[];
  handle?: (event: Event<Counted>, context: HandlerContext) => Promise<void> | void;
}

/** Starts a consumer of `counted` events on a broker in memory. */
export async function startConsumer({
  broker = newBroker(),
  handle = () => {},
  subscriptions,
  ...times
}: Options = {}): Promise<RunningConsumer> {
  const metrics = new Registry();
  const logs: Record<string, unknown>[] = [];
  const settings = loadSettings({ LOG_LEVEL: "debug" });
  const log = createLogger(settings, { write: (line) => void logs.push(JSON.parse(line)) });
  const options = { topic: TOPIC, group: "group", metrics, retryMs: 1, batchMs: 10, ...times };
  const kafka = createKafka(broker, options);
  const { deps } = await createDeps(settings, log, metrics, { ...createFakes(), kafka });
  const handled: string[] = [];
  const handlers: EventHandler[] = [
    onEvent(counted, async (event, context) => {
      handled.push(`${event.data.key}/${event.data.count}`);
      await handle(event, context);
    }),
  ];
  const work = kafka.consume(subscriptions ?? handlers, deps);
  return {
    broker,
    kafka,
    work,
    deps,
    metrics,
    logs,
    handled,
    async metric(name, labels = {}) {
      const { values } = await metrics.getSingleMetric(name)!.get();
      const found = values.find((value) =>
        Object.entries(labels).every(([label, text]) => value.labels[label] === text),
      );
      return found?.value ?? 0;
    },
    async [Symbol.asyncDispose]() {
      broker.down.clear();
      await work.stop();
      await kafka.close();
    },
  };
}

/** The JSON of an event. */
export function eventOf(data: object, more: object = {}): string {
  return JSON.stringify({
    id: "1",
    type: "counted",
    time: new Date().toISOString(),
    data,
    ...more,
  });
}

/** A record as any program may have written it. */
export function raw(value: string | Buffer | undefined, key = "a"): OutgoingRecord {
  return {
    topic: TOPIC,
    key: Buffer.from(key),
    value: value === undefined ? undefined : Buffer.from(value as string),
    headers: [["x-request-id", "from-elsewhere"]],
  };
}
