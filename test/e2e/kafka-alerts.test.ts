import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { execa } from "execa";
import { describe, expect, inject, it } from "vitest";
import { stringify } from "yaml";

import { scratchFolder } from "../stack/server.ts";

// Nothing of this depends on the framework.
const [[, directory]] = Object.entries(inject("services")) as [[string, string]];
const LABELS = `job="${basename(directory)}",topic="events"`;
const HOUR = "x60";

interface Example {
  what: string;
  /** Values a minute, in promtool's notation, by series. */
  series: Record<string, string>;
  /** Alerts that fire after 45 minutes, and those that do not. */
  firing: string[];
  silent: string[];
}

const EXAMPLES: Example[] = [
  {
    what: "an idle topic is no reason to wake anybody",
    series: { ...lag(0, 0), ...consumed(`7${HOUR}`) },
    firing: [],
    silent: ["KafkaConsumerStalled", "KafkaConsumerLag", "KafkaRecordsSkipped", "KafkaDeadLetters"],
  },
  {
    what: "events that wait while none is handled are",
    series: { ...lag(3, 0), ...consumed(`7${HOUR}`) },
    firing: ["KafkaConsumerStalled"],
    silent: ["KafkaConsumerLag"],
  },
  {
    what: "a busy topic is none",
    series: { ...lag(300, 500), ...consumed(`0+600${HOUR}`) },
    firing: [],
    silent: ["KafkaConsumerStalled", "KafkaConsumerLag"],
  },
  {
    what: "each partition counts once, though every task reports it",
    series: { ...lag(4_000, 4_000, "a"), ...lag(4_000, 4_000, "b"), ...consumed(`0+600${HOUR}`) },
    firing: [],
    silent: ["KafkaConsumerLag"],
  },
  {
    what: "too many that wait are",
    series: { ...lag(6_000, 5_000), ...consumed(`0+600${HOUR}`) },
    firing: ["KafkaConsumerLag"],
    silent: ["KafkaConsumerStalled"],
  },
  {
    what: "records that were deleted unread are",
    series: { [`kafka_consumer_skipped_records_total{${LABELS}}`]: "0x40 120x20" },
    firing: ["KafkaRecordsSkipped"],
    silent: ["KafkaDeadLetters"],
  },
];

describe("the alerts of events", () => {
  it.each(EXAMPLES)("know that $what", async ({ series, firing, silent }) => {
    await using folder = await scratchFolder("alerts");
    await writeFile(
      join(folder.path, "alerts.yml"),
      await readFile(join(directory, "observability/alerts.yml")),
    );
    const tests = {
      rule_files: ["alerts.yml"],
      evaluation_interval: "1m",
      tests: [
        {
          interval: "1m",
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          promql_expr_test: [
            ...firing.map((name) => countOf(name, [{ labels: "{}", value: 1 }])),
            ...silent.map((name) => countOf(name, [])),
          ],
        },
      ],
    };
    const file = join(folder.path, "tests.yml");
    await writeFile(file, stringify(tests));
    const { exitCode, all } = await execa("promtool", ["test", "rules", file], {
      all: true,
      reject: false,
    });
    expect(exitCode, all).toBe(0);
  });
});

function countOf(name: string, samples: { labels: string; value: number }[]): object {
  const expr = `count(ALERTS{alertname="${name}",alertstate="firing"})`;
  return { expr, eval_time: "45m", exp_samples: samples };
}

function lag(first: number, second: number, instance = "a"): Record<string, string> {
  const name = "kafka_consumer_lag_records";
  return Object.fromEntries(
    [first, second].map((records, partition) => [
      `${name}{${LABELS},partition="${partition}",instance="${instance}"}`,
      `${records}${HOUR}`,
    ]),
  );
}

function consumed(values: string): Record<string, string> {
  return { [`kafka_consumed_records_total{${LABELS},outcome="processed"}`]: values };
}
