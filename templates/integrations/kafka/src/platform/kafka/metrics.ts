import { Counter, Gauge, Histogram, type Registry } from "@prometheus-io/client";

/** What the service tells of its events. */
export interface KafkaMetrics {
  published: Counter<"topic" | "outcome">;
  publishDuration: Histogram<"topic">;
  /** By outcome: processed, dead_letter or tombstone. */
  consumed: Counter<"topic" | "outcome">;
  retries: Counter<"topic">;
  deadLetters: Counter<"topic" | "reason">;
  batchSize: Histogram<"topic">;
  batchDuration: Histogram<"topic">;
  lag: Gauge<"topic" | "partition">;
}

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const RECORDS = [1, 5, 10, 25, 50, 100, 200, 300, 400, 500];

/** Registers the metrics of Kafka, once per process. */
export function createKafkaMetrics(registry: Registry): KafkaMetrics {
  const registers = [registry];
  const labelNames = ["topic"] as const;
  return {
    published: new Counter({
      name: "kafka_published_records_total",
      help: "Records published, by outcome: acknowledged or failed.",
      labelNames: ["topic", "outcome"],
      registers,
    }),
    publishDuration: new Histogram({
      name: "kafka_publish_duration_seconds",
      help: "Time until a record was acknowledged.",
      labelNames,
      buckets: SECONDS,
      registers,
    }),
    consumed: new Counter({
      name: "kafka_consumed_records_total",
      help: "Records done with, by outcome: processed, dead_letter or tombstone.",
      labelNames: ["topic", "outcome"],
      registers,
    }),
    retries: new Counter({
      name: "kafka_consumer_retries_total",
      help: "Handler calls that were repeated because the one before failed.",
      labelNames,
      registers,
    }),
    deadLetters: new Counter({
      name: "kafka_dead_letters_total",
      help: "Records written to the dead letter topic, by reason.",
      labelNames: ["topic", "reason"],
      registers,
    }),
    batchSize: new Histogram({
      name: "kafka_consumer_batch_size_records",
      help: "Records in a batch.",
      labelNames,
      buckets: RECORDS,
      registers,
    }),
    batchDuration: new Histogram({
      name: "kafka_consumer_batch_duration_seconds",
      help: "Time to process and commit a batch.",
      labelNames,
      buckets: SECONDS,
      registers,
    }),
    lag: new Gauge({
      name: "kafka_consumer_lag_records",
      help: "Records that are not committed yet.",
      labelNames: ["topic", "partition"],
      registers,
    }),
  };
}
