// The consumer of a generated service beside one on aiokafka that does the same work, on the same broker and topic:
// events with ids and trace contexts in their headers, a tenth of them sampled, checked by a schema and handled.
//   npm run bench:kafka -- [--rounds 5] [--records 200000] [--single 300]
// Then single events, one after the other, and how long each takes from its publisher to the end of its handler.
// Needs Linux, taskset, python3 and what test/stack needs. The consumer has CPU 0; the broker shares CPU 1 with this.
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";

import { execa } from "execa";

import { network } from "../../src/system/network.ts";
import { withCollector } from "../../src/verify/otlp/collector.ts";
import { newEvents } from "../../test/e2e/events.ts";
import { createTopic, openPublisher } from "../../test/e2e/kafka-client.ts";
import { buildService } from "../../test/e2e/service/build.ts";
import { startKafka } from "../../test/stack/kafka.ts";
import { cpuSecondsOf } from "../service/processes.ts";
import { median } from "../service/report.ts";

const HERE = import.meta.dirname;
const CONSUMER_CPU = "0";
const BROKER_CPU = "1";
const GOAL = 1.5;
const EVERY_SAMPLED = 10;
/** An id and its line end, which a handler writes for each record. */
const LINE_BYTES = 37;
const POLL_MS = 5;
/** From one single event to the next. */
const PAUSE_MS = 20;
const LATENCY_GOAL_MS = 20;
const WARM_UP = 20;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    records: { type: "string", default: "200000" },
    single: { type: "string", default: "300" },
  },
});
const records = Number(values.records);
const single = Number(values.single);

interface Consumer {
  name: string;
  command: string[];
  cwd: string;
  env: Record<string, string>;
}

interface Round {
  /** From the first record to the last. */
  perSecond: number;
  cpuUs: number;
}

const consumers: Consumer[] = [await generatedService(), await aiokafka()];
const rounds = new Map<string, Round[]>(consumers.map(({ name }) => [name, []]));
const latencies = new Map<string, number[]>();
await using kafka = await startKafka({ jvm: ["-Xmx512m", "-XX:+UseSerialGC"] });
await execa("taskset", ["--all-tasks", "--cpu-list", "--pid", BROKER_CPU, `${kafka.pid()}`]);
const topic = await createTopic(kafka.brokers);
await fill();
await withCollector(async ({ endpoint }) => {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const consumer of consumers) {
      rounds.get(consumer.name)?.push(await consume(consumer, endpoint));
    }
  }
  for (const consumer of consumers) {
    latencies.set(consumer.name, await measureLatency(consumer, endpoint));
  }
});
await rm(consumers[0]!.cwd, { recursive: true });
process.exitCode = report() ? 0 : 1;

async function generatedService(): Promise<Consumer> {
  const [port, metricsPort] = await network.freePorts(2);
  return {
    name: "generated service",
    command: [process.execPath, "--enable-source-maps", "dist/main.js"],
    cwd: await buildService("fastify"),
    env: {
      ENVIRONMENT: "dev",
      USE_MSK_IAM: "false",
      WEB_CONCURRENCY: "1",
      PORT: `${port}`,
      METRICS_PORT: `${metricsPort}`,
    },
  };
}

async function aiokafka(): Promise<Consumer> {
  const venv = join(tmpdir(), "create-fetch-service-aiokafka");
  const python = join(venv, "bin/python");
  if (!existsSync(python)) await execa("python3", ["-m", "venv", venv]);
  const requirements = join(HERE, "aiokafka/requirements.txt");
  await execa(python, ["-m", "pip", "install", "--quiet", "-r", requirements]);
  return {
    name: "aiokafka",
    command: [python, join(HERE, "aiokafka/consumer.py")],
    cwd: HERE,
    env: {},
  };
}

async function fill(): Promise<void> {
  await using publisher = openPublisher(kafka.brokers, topic);
  const messages = newEvents(records).map(({ message }, index) => ({
    ...message,
    headers: headersOf(index),
  }));
  await publisher.publish(messages);
}

/** What a publisher in the middle of a request writes. */
function headersOf(index: number): Record<string, string> {
  const id = randomUUID();
  const trace = `${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}`;
  const traceparent = `00-${trace}-${index % EVERY_SAMPLED === 0 ? "01" : "00"}`;
  return { "x-request-id": id, "x-correlation-id": id, traceparent };
}

/** Starts a consumer in a group of its own. It writes the id of each event that it has handled to `processed`. */
function startConsumer(
  { name, command, cwd, env }: Consumer,
  collector: string,
  read: string,
  processed: string,
) {
  return execa("taskset", ["--cpu-list", CONSUMER_CPU, ...command], {
    cwd,
    env: {
      ...env,
      KAFKA_BROKERS: kafka.brokers,
      KAFKA_TOPIC: read,
      KAFKA_CONSUMER_GROUP: randomUUID(),
      PROCESSED: processed,
      SERVICE_NAME: name.replaceAll(" ", "-"),
      OTEL_EXPORTER_OTLP_ENDPOINT: collector,
      OTEL_TRACES_SAMPLER_ARG: `${1 / EVERY_SAMPLED}`,
    },
    reject: false,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
}

/** Lets a consumer read the whole topic. */
async function consume(consumer: Consumer, collector: string): Promise<Round> {
  const processed = join(tmpdir(), `bench-kafka-${randomUUID()}`);
  const child = startConsumer(consumer, collector, topic, processed);
  const pid = child.pid ?? 0;
  await untilBytes(processed, 1);
  const start = performance.now();
  const cpuBefore = cpuSecondsOf(pid);
  const already = (await stat(processed)).size;
  await untilBytes(processed, records * LINE_BYTES);
  const seconds = (performance.now() - start) / 1000;
  const cpu = cpuSecondsOf(pid) - cpuBefore;
  child.kill("SIGTERM");
  await child;
  await rm(processed);
  const read = records - already / LINE_BYTES;
  return { perSecond: read / seconds, cpuUs: (cpu / read) * 1e6 };
}

/** Publishes single events to a consumer that has nothing else to do. @returns milliseconds, sorted. */
async function measureLatency(consumer: Consumer, collector: string): Promise<number[]> {
  const processed = join(tmpdir(), `bench-kafka-${randomUUID()}`);
  const quiet = await createTopic(kafka.brokers);
  const child = startConsumer(consumer, collector, quiet, processed);
  await using publisher = openPublisher(kafka.brokers, quiet);
  const times: number[] = [];
  // The first ones find a consumer that still joins its group.
  for (let sent = 1; times.length < single; sent += 1) {
    const [event] = newEvents(1);
    const start = performance.now();
    await publisher.publish([{ ...event!.message, headers: headersOf(sent) }]);
    await untilBytes(processed, sent * LINE_BYTES, 1);
    if (sent > WARM_UP) times.push(performance.now() - start);
    await delay(PAUSE_MS);
  }
  child.kill("SIGTERM");
  await child;
  await rm(processed);
  return times.toSorted((one, other) => one - other);
}

async function untilBytes(file: string, bytes: number, pollMs = POLL_MS): Promise<void> {
  const size = (): Promise<number> =>
    stat(file).then(
      ({ size: now }) => now,
      () => 0,
    );
  while ((await size()) < bytes) await delay(pollMs);
}

/** @returns whether the goal is reached. */
function report(): boolean {
  console.log(`\n${records} records`.padEnd(21), "records/s   CPU µs/record");
  for (const [name, own] of rounds) {
    const speed = median(own.map(({ perSecond }) => perSecond)).toFixed(0);
    const cpu = median(own.map(({ cpuUs }) => cpuUs)).toFixed(1);
    console.log(name.padEnd(20), speed.padStart(9), cpu.padStart(15));
  }
  const [ours = [], theirs = []] = rounds.values();
  const ratio = median(ours.map(({ perSecond }, index) => perSecond / theirs[index]!.perSecond));
  console.log(`\n${ratio.toFixed(2)} times as fast as aiokafka; the goal is ${GOAL}`);
  console.log("\nend to end, ms".padEnd(21), "   median             p99");
  for (const [name, times] of latencies) {
    const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
    console.log(name.padEnd(20), median(times).toFixed(1).padStart(9), p99.toFixed(1).padStart(15));
  }
  const [latency = []] = latencies.values();
  console.log(`\nthe goal is a median below ${LATENCY_GOAL_MS} ms`);
  return ratio >= GOAL && median(latency) < LATENCY_GOAL_MS;
}
