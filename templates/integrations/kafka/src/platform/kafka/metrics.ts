import { Counter, Gauge, Histogram, type Registry } from "@prometheus-io/client";

/** What the service tells of its events. */
export interface KafkaMetrics {
  published: Counter<"topic" | "outcome">;
  publishDuration: Histogram<"topic">;
  consumed: Counter<"topic" | "outcome">;
  retries: Counter<"topic">;
  deadLetters: Counter<"topic" | "reason">;
  skipped: Counter<"topic">;
  rebalances: Counter<"topic">;
  assigned: Gauge<"topic">;
  batchSize: Histogram<"topic">;
  batchDuration: Histogram<"topic">;
  setLag(topic: string, lags: ReadonlyMap<number, number>): void;
  /** Removes what holds only for a member of the topic's group. */
  forget(topic: string): void;
}

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const RECORDS = [1, 5, 10, 25, 50, 100, 200, 300, 400, 500];

/** The metrics of Kafka, the same ones for all clients of a process. */
export function createKafkaMetrics(registry: Registry): KafkaMetrics {
  const registers = [registry];
  /** Registered before, or else made now. */
  function once<Metric>(name: string, make: (name: string) => Metric): Metric {
    return (registry.getSingleMetric(name) as Metric | undefined) ?? make(name);
  }
  function counter<Label extends string>(name: string, help: string, labelNames: Label[]) {
    return once(name, () => new Counter<Label>({ name, help, labelNames, registers }));
  }
  function gauge<Label extends string>(name: string, help: string, labelNames: Label[]) {
    return once(name, () => new Gauge<Label>({ name, help, labelNames, registers }));
  }
  function histogram(name: string, help: string, buckets: number[]) {
    const labelNames: "topic"[] = ["topic"];
    return once(name, () => new Histogram({ name, help, labelNames, buckets, registers }));
  }
  const assigned = gauge("kafka_consumer_assigned_partitions", "Partitions that are read here.", [
    "topic",
  ]);
  const lag = gauge(
    "kafka_consumer_lag_records",
    "Records that the group has not committed, of every partition of the topic.",
    ["topic", "partition"],
  );
  /** The partitions whose lag is told, by topic. */
  const lagging = new Map<string, number[]>();

  function setLag(topic: string, lags: ReadonlyMap<number, number>): void {
    for (const partition of lagging.get(topic) ?? []) {
      if (!lags.has(partition)) lag.remove({ topic, partition });
    }
    for (const [partition, records] of lags) lag.set({ topic, partition }, records);
    lagging.set(topic, [...lags.keys()]);
  }

  return {
    published: counter(
      "kafka_published_records_total",
      "Records published, by outcome: acknowledged or failed.",
      ["topic", "outcome"],
    ),
    publishDuration: histogram(
      "kafka_publish_duration_seconds",
      "Time until a record was acknowledged.",
      SECONDS,
    ),
    consumed: counter(
      "kafka_consumed_records_total",
      "Records done with, by outcome: processed, dead_letter, ignored or tombstone.",
      ["topic", "outcome"],
    ),
    retries: counter(
      "kafka_consumer_retries_total",
      "Handler calls that were repeated because the one before failed.",
      ["topic"],
    ),
    deadLetters: counter(
      "kafka_dead_letters_total",
      "Records written to the dead letter topic, by reason.",
      ["topic", "reason"],
    ),
    skipped: counter(
      "kafka_consumer_skipped_records_total",
      "Records that the topic's retention deleted before they were read.",
      ["topic"],
    ),
    rebalances: counter("kafka_consumer_rebalances_total", "Assignments of partitions.", ["topic"]),
    assigned,
    batchSize: histogram(
      "kafka_consumer_batch_size_records",
      "Records that were committed together.",
      RECORDS,
    ),
    batchDuration: histogram(
      "kafka_consumer_batch_duration_seconds",
      "Time from the first of them being done until they were committed.",
      SECONDS,
    ),
    setLag,
    forget(topic) {
      assigned.remove({ topic });
      setLag(topic, new Map());
    },
  };
}
