import { type Check, needed, Violation } from "../check.ts";
import { eventually } from "../eventually.ts";
import { expect, expectEqual, expectError, expectStatus } from "../expect.ts";
import { type Exposition, parseExposition, sumOf } from "../prometheus.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import { send } from "../wire/send.ts";
import { freshId, withInstance } from "./steps.ts";

const REQUESTS = 60;
// The names under which services count requests; the first that is there is used.
const COUNTERS = [
  "http_server_request_duration_seconds_count",
  "http_requests_total",
  "http_request_duration_seconds_count",
  "http_server_requests_seconds_count",
  "http_server_duration_milliseconds_count",
];

/** `GET /metrics`: its form, and that it speaks for the whole process group. */
export const metricsChecks: Check[] = [
  {
    id: "metrics.format",
    sentence: STANDARD.metrics,
    async run(target) {
      await send(target.url, unknown());
      const { samples, types } = await scrape(target);
      expect(samples.length > 0 && types.size > 0, "metrics: there are none");
    },
  },
  {
    id: "metrics.content-type",
    sentence: STANDARD.metrics,
    async run(target) {
      const response = await send(metricsUrl(target), "/metrics");
      const type = response.header("content-type") ?? "";
      expect(/^text\/plain; ?version=(0\.0\.4|1\.0\.0)/.test(type), `content-type is ${type}`);
    },
  },
  {
    id: "metrics.not-on-the-service-port",
    sentence: STANDARD.metrics,
    async run({ url }) {
      expectError(await send(url, "/metrics"), 404);
    },
  },
  {
    id: "metrics.no-api-on-the-metrics-port",
    sentence: STANDARD.metrics,
    async run(target) {
      for (const path of ["/", "/docs", "/openapi.json", "/api/v1/receipts/rules", unknown()]) {
        expectError(await send(metricsUrl(target), path), 404);
      }
    },
  },
  {
    id: "metrics.only-get",
    sentence: STANDARD.errorBody,
    async run(target) {
      const response = await send(metricsUrl(target), { method: "POST", path: "/metrics" });
      expectError(response, 405);
      expectEqual(response.header("allow"), "GET, HEAD", "POST /metrics: header Allow");
    },
  },
  {
    id: "metrics.request-id",
    sentence: STANDARD.requestIdEverywhere,
    async run(target) {
      const id = freshId();
      const headers = { "X-Request-ID": id };
      for (const path of ["/metrics", unknown()]) {
        const response = await send(metricsUrl(target), { path, headers });
        expectEqual(response.header("x-request-id"), id, `${path}: X-Request-ID`);
        expectEqual(response.header("x-correlation-id"), id, `${path}: X-Correlation-ID`);
      }
    },
  },
  {
    id: "metrics.whole-group",
    sentence: STANDARD.metrics,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        expectEqual(instance.workerPids().length, 2, "number of workers");
        await askMany(instance.url);
        await countReaches(instance, REQUESTS);
        expectEqual(await requestCount(instance), REQUESTS, "requests counted by all workers");
      });
    },
  },
  {
    id: "metrics.every-scrape-agrees",
    sentence: STANDARD.metrics,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        await askMany(instance.url);
        await countReaches(instance, REQUESTS);
        const counts = await Promise.all(Array.from({ length: 20 }, () => requestCount(instance)));
        expectEqual([...new Set(counts)], [REQUESTS], "counts of 20 scrapes");
      });
    },
  },
  {
    id: "metrics.survive-a-worker",
    sentence: STANDARD.metrics,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        await askMany(instance.url);
        await countReaches(instance, REQUESTS);
        const [victim = 0] = instance.workerPids();
        process.kill(victim, "SIGKILL");
        await eventually("a worker in the place of the killed one", async () => {
          const count = await requestCount(instance);
          if (count < REQUESTS) throw new Violation(`the count fell from ${REQUESTS} to ${count}`);
          const pids = instance.workerPids();
          return (pids.length === 2 && !pids.includes(victim)) || undefined;
        });
        expectEqual(await requestCount(instance), REQUESTS, "requests counted after the kill");
      });
    },
  },
  {
    id: "metrics.scrape-while-a-worker-hangs",
    sentence: STANDARD.metrics,
    async run(target) {
      const { hanging } = needed(target.probes, "probes");
      await withInstance(target, { workers: 2 }, async (instance) => {
        const stuck = send(instance.url, { method: "POST", path: hanging }).catch(() => {});
        for (let count = 0; count < 5; count += 1) {
          expectStatus(await send(instance.metricsUrl, "/metrics"), 200);
        }
        await instance.stop();
        await stuck;
      });
    },
  },
  {
    id: "metrics.no-series-per-path",
    sentence: STANDARD.metrics,
    async run(target) {
      const marks = Array.from({ length: 5 }, freshId);
      await withInstance(target, { workers: 1 }, async (instance) => {
        for (const mark of marks) {
          await send(instance.url, `/api/v1/${mark}`);
          await send(instance.url, `/health/${mark}?${mark}=1`);
          await send(instance.url, { method: "POST", path: `/docs/${mark}`, body: mark });
        }
        await countReaches(instance, marks.length * 3);
        const { text } = await send(instance.metricsUrl, "/metrics");
        const found = marks.filter((mark) => text.includes(mark));
        expectEqual(found, [], "paths that became labels");
      });
    },
  },
];

function metricsUrl(target: Target): string {
  return needed(target.metricsUrl, "metricsUrl");
}

function unknown(): string {
  return `/${freshId()}`;
}

async function scrape(target: Target): Promise<Exposition> {
  const response = await send(metricsUrl(target), "/metrics");
  expectStatus(response, 200);
  return parseExposition(response.text);
}

/** Requests that are no probes, over many connections, so that every worker gets some. */
async function askMany(url: string): Promise<void> {
  const answers = await Promise.all(Array.from({ length: REQUESTS }, () => send(url, unknown())));
  for (const answer of answers) expectStatus(answer, 404);
}

async function requestCount(target: Target): Promise<number> {
  const page = await scrape(target);
  const counter = COUNTERS.find((name) => page.samples.some((sample) => sample.name === name));
  if (counter === undefined) return 0;
  return sumOf(withoutProbes(page), counter);
}

/** The instance's own start may have been watched with requests to the health routes. */
function withoutProbes(page: Exposition): Exposition {
  const samples = page.samples.filter(
    ({ labels }) => !Object.values(labels).some((value) => value.startsWith("/health")),
  );
  return { ...page, samples };
}

async function countReaches(target: Target, wanted: number): Promise<void> {
  await eventually(`${wanted} requests counted`, async () => {
    const count = await requestCount(target);
    return count >= wanted || undefined;
  });
}
