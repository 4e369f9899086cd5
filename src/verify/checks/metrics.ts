import { type Check, needed, Violation } from "../check.ts";
import { eventually } from "../eventually.ts";
import { expect, expectEqual, expectError, expectStatus, show } from "../expect.ts";
import { type Exposition, parseExposition, sumOf } from "../prometheus.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import type { WireResponse } from "../wire/response.ts";
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
      expect(isPage(response), `content-type is ${response.header("content-type")}`);
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
    level: "hardening",
    sentence: STANDARD.metrics,
    async run(target) {
      const paths = ["/docs", "/openapi.json", target.jsonRoute?.path ?? unknown()];
      for (const path of ["/", ...paths]) {
        const response = await send(metricsUrl(target), path);
        expect(response.status < 500, `${response.request}: the metrics port failed`);
        // Some servers of metrics show them under every path.
        const answered = response.status < 300 && !isPage(response);
        expect(!answered, `${response.request}: the metrics port answered ${show(response.text)}`);
      }
    },
  },
  {
    // The standard promises this port a page and no more; error bodies and ids that are there must be right.
    id: "metrics.other-answers",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run(target) {
      const id = freshId();
      const requests = [
        { path: "/metrics" },
        { path: unknown() },
        { method: "POST", path: "/metrics" },
      ];
      for (const request of requests) {
        const headers = { "X-Request-ID": id };
        const response = await send(metricsUrl(target), { ...request, headers });
        expect(response.status < 500, `${response.request}: the metrics port failed`);
        const isJson = response.header("content-type")?.startsWith("application/json") ?? false;
        if (isJson) expectError(response, response.status);
        const echoed = response.header("x-request-id") ?? id;
        expectEqual(echoed, id, `${response.request}: X-Request-ID`);
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
    level: "hardening",
    sentence: STANDARD.metrics,
    async run(target) {
      const { hanging } = needed(target.probes, "probes");
      await withInstance(target, { workers: 2 }, async (instance) => {
        const unanswered: Promise<unknown>[] = [];
        // The first hangs one worker, and sooner or later another one the other.
        await eventually("workers that answer nothing", async () => {
          unanswered.push(attempt(send(instance.url, { method: "POST", path: hanging })));
          let hangs = true;
          const asked = attempt(send(instance.url, "/health")).then(() => (hangs = false));
          for (let count = 0; count < 5; count += 1) {
            expectStatus(await send(instance.metricsUrl, "/metrics"), 200);
          }
          unanswered.push(asked);
          return hangs || undefined;
        });
        await instance.stop();
        await Promise.all(unanswered);
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

/** In Prometheus' text format, by its own word. */
function isPage(response: WireResponse): boolean {
  const type = response.header("content-type") ?? "";
  return /^text\/plain; ?version=(0\.0\.4|1\.0\.0)/.test(type);
}

function metricsUrl(target: Target): string {
  return needed(target.metricsUrl, "metricsUrl");
}

function unknown(): string {
  return `/${freshId()}`;
}

/** The end of a request, whatever becomes of it. */
function attempt(request: Promise<unknown>): Promise<void> {
  return request.then(
    () => {},
    () => {},
  );
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
