// How much of the bare framework's speed the whole service keeps, and how it stands beside FastAPI under gunicorn.
//   npm run bench:service -- [--rounds 30] [--seconds 1] [--boots 7] [--frameworks fastify,express]
// Exits with 1 when a budget is missed, with 2 when tools are missing, or when it cannot be told. Needs Linux, taskset and
// python3. The server has CPU 0 to itself; the load has CPU 1, with this program, which collects the spans. Rounds are many and short,
// because what else the machine does comes and goes within seconds: those of one round have most of it in common.
import { execa } from "execa";
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import manifest from "../../templates/manifest.json" with { type: "json" };
import { withCollector } from "../../src/verify/otlp/collector.ts";
import { checkNothingSkipped, checkValidation, settledMetrics } from "./checks.ts";
import { type Column, prepare, workFile } from "./columns.ts";
import { endLoad, load, type Request } from "./load.ts";
import { type Server, startServer } from "./processes.ts";
import { type Boot, reportBoots, reportSpeed, type Round, worst } from "./report.ts";
import { freePorts, missingTools } from "./tools.ts";

const SERVER_CPU = "0";
const LOAD_CPU = "1";
const WARM_UP_SECONDS = 2;
/** More than run at one time; a port is taken again when its server has long ended. */
const PORTS = 64;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "30" },
    seconds: { type: "string", default: "1" },
    boots: { type: "string", default: "7" },
    frameworks: { type: "string", default: manifest.frameworks.map(({ name }) => name).join() },
  },
});

const RECEIPT = {
  retailer: "M&M Corner Market",
  purchaseDate: "2022-03-20",
  purchaseTime: "14:33",
  items: Array.from({ length: 4 }, () => ({ shortDescription: "Gatorade", price: "2.25" })),
  total: "9.00",
};
const POINTS = {
  points: 109,
  breakdown: [
    { rule: "retailer_name", points: 14 },
    { rule: "round_total", points: 50 },
    { rule: "quarter_total", points: 25 },
    { rule: "item_pairs", points: 10 },
    { rule: "afternoon", points: 10 },
  ],
};

const VERDICTS = {
  ok: { exitCode: 0, text: "all budgets are kept" },
  undecided: {
    exitCode: 2,
    text: "what is undecided may be on either side: run it again, or with more --rounds",
  },
  MISSED: { exitCode: 1, text: "a budget is missed" },
};

const missing = missingTools();
if (missing.length > 0) {
  for (const line of missing) console.error(line);
  process.exit(2);
}
// What is started is killed when this program exits, and so it has to exit.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

await execa("taskset", ["-a", "-p", "-c", LOAD_CPU, String(process.pid)]);
await withCollector(async (collector) => {
  const ports = await freePorts(PORTS);
  let next = 0;
  const rulesFile = workFile("rules.json", "{}");
  const columns = await prepare(values.frameworks.split(","), {
    collector: collector.endpoint,
    rulesFile,
    nextPort: () => ports[next++ % PORTS]!,
  });
  // The rules are the service's own words; the others answer the same text.
  workFile(
    "rules.json",
    await answerOf(
      columns.find(({ serviceName }) => serviceName)!,
      "/api/v1/receipts/rules",
    ),
  );
  const requests: Request[] = [
    {
      name: "POST",
      path: "/api/v1/receipts/points",
      body: workFile("receipt.json", JSON.stringify(RECEIPT)),
      expected: workFile("points.json", JSON.stringify(POINTS)),
    },
    { name: "GET", path: "/api/v1/receipts/rules", body: "", expected: rulesFile },
  ];
  const spansOf = (name: string): number =>
    collector.spans.filter(({ resource }) => resource["service.name"] === name).length;

  collector.spans.length = 0;
  const rounds = await measureSpeed(columns, requests, spansOf);
  endLoad();
  const fast = reportSpeed(rounds);
  const quick = reportBoots(await measureBoots(columns));
  const verdict = worst([fast, quick]);
  console.log(`\n${VERDICTS[verdict].text}`);
  process.exitCode = VERDICTS[verdict].exitCode;
});

/** All columns take turns in every round, so that whatever else the machine does meets all alike. */
async function measureSpeed(
  columns: Column[],
  requests: Request[],
  spansOf: (serviceName: string) => number,
): Promise<Round[]> {
  const running = await startAll(columns);
  await validateAll(running, requests[0]!);
  const rounds: Round[] = [];
  for (const request of requests) {
    for (const target of running) await send(target, request, WARM_UP_SECONDS);
    for (let index = 0; index < Number(values.rounds); index += 1) {
      for (const target of running) {
        const { column, server } = target;
        const cpuBefore = server.cpuSeconds();
        const result = await send(target, request, Number(values.seconds));
        const cpuUs = ((server.cpuSeconds() - cpuBefore) / result.requests) * 1e6;
        const { name, bare } = column;
        const { p99Ms } = result;
        rounds.push({ column: name, bare, request: request.name, cpuUs, p99Ms });
        console.log(`${request.name} ${index + 1}: ${name} ${cpuUs.toFixed(1)} µs`);
      }
    }
  }
  await validateAll(running, requests[0]!);
  for (const { column, server, sent, log, metricsUrl } of running) {
    const metrics = metricsUrl === undefined ? "" : await settledMetrics(metricsUrl);
    await server.stop();
    const { name, serviceName } = column;
    if (serviceName !== undefined)
      await checkNothingSkipped(name, sent, { log, metrics, spans: spansOf(serviceName) });
  }
  return rounds;
}

/** Before and after the load, for what does the whole contract. */
async function validateAll(running: Running[], post: Request): Promise<void> {
  for (const target of running) {
    const { column, server } = target;
    if (column.serviceName === undefined) continue;
    target.sent += await checkValidation(column.name, server.port, post);
  }
}

interface Running {
  column: Column;
  server: Server;
  /** Requests so far; each was answered. */
  sent: number;
  log: string;
  metricsUrl: string | undefined;
}

async function startAll(columns: Column[]): Promise<Running[]> {
  const running: Running[] = [];
  for (const column of columns) {
    const { metricsUrl, ...command } = column.command(1);
    rmSync(command.log, { force: true });
    const server = await startServer(command, SERVER_CPU);
    running.push({ column, server, sent: 0, log: command.log, metricsUrl });
  }
  return running;
}

async function send(target: Running, request: Request, seconds: number) {
  const { column, server } = target;
  const wholeContract = column.serviceName !== undefined;
  const result = await load(server.port, request, seconds, wholeContract);
  target.sent += result.requests;
  return result;
}

async function measureBoots(columns: Column[]): Promise<Boot[]> {
  const boots: Boot[] = [];
  for (const workers of [1, 2]) {
    for (let round = 0; round < Number(values.boots); round += 1) {
      for (const column of columns) {
        // Both CPUs: that is where two workers differ from one.
        const server = await startServer(column.command(workers), `${SERVER_CPU},${LOAD_CPU}`);
        const { name, bare } = column;
        boots.push({
          column: name,
          bare,
          workers,
          ms: server.bootMs,
          memoryMib: server.memoryMib(),
        });
        console.log(`${workers} worker(s) ${round + 1}: ${name} ${server.bootMs.toFixed(0)} ms`);
        await server.stop();
      }
    }
  }
  return boots;
}

async function answerOf(column: Column, path: string): Promise<string> {
  const server = await startServer(column.command(1), SERVER_CPU);
  try {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return await response.text();
  } finally {
    await server.stop();
  }
}
