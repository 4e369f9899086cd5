import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";

import { type Check, needed } from "../check.ts";
import { expect, expectEqual, expectError, expectStatus } from "../expect.ts";
import { type Collector, withCollector } from "../otlp/collector.ts";
import { STANDARD } from "../standard.ts";
import type { Instance, Target } from "../target.ts";
import type { WireResponse } from "../wire/response.ts";
import { send } from "../wire/send.ts";
import {
  expectExit,
  median,
  OK,
  unknownPath,
  validBody,
  versionOf,
  withInstance,
} from "./steps.ts";

const PARENT = "00f067aa0ba902b7";
const ROUNDS = 40;
const EACH_ROUND = 15;

const MALFORMED_PARENTS = [
  "",
  "nonsense",
  "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
  "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
  "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
  "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
  "00-ghijklmnopqrstuvwxyzghijklmnopqr-00f067aa0ba902b7-01",
];

/** Spans, as a collector receives them, and traces that go on from service to service. */
export const telemetryChecks: Check[] = [
  {
    id: "telemetry.inbound-span",
    sentence: STANDARD.spans,
    async run(target) {
      await withTraced(target, {}, async (instance, collector) => {
        const { path } = needed(target.jsonRoute, "jsonRoute");
        const traceId = newTraceId();
        await post(target, instance, { traceparent: parentOf(traceId, "01") });
        const span = await collector.wait(
          "the span of a request",
          (one) => one.traceId === traceId,
        );
        expectEqual(span.kind, "SERVER", "kind");
        expectEqual(span.name, `POST ${path}`, "name");
        expectEqual(span.parentSpanId, PARENT, "parent");
        expectEqual(span.attributes["http.request.method"], "POST", "http.request.method");
        expectEqual(span.attributes["http.route"], path, "http.route");
        expectEqual(span.attributes["http.response.status_code"], 200, "http.response.status_code");
        expectEqual(span.failed, false, "status is error");
      });
    },
  },
  {
    id: "telemetry.exported-by-every-worker",
    sentence: STANDARD.otlp,
    async run(target) {
      await withCollector(async (collector) => {
        const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
        await withInstance(target, { environment, workers: 2 }, async (instance) => {
          const ids = Array.from({ length: 40 }, newTraceId);
          await Promise.all(
            ids.map((id) => post(target, instance, { traceparent: parentOf(id, "01") })),
          );
          instance.signal("SIGTERM");
          await expectExit(instance, 0);
          const missing = ids.filter(
            (id) => !collector.spans.some(({ traceId }) => traceId === id),
          );
          expectEqual(missing, [], "traces that never came over gRPC");
        });
      });
    },
  },
  {
    id: "telemetry.resource",
    sentence: STANDARD.resource,
    async run(target) {
      await withTraced(target, { ENVIRONMENT: "stage" }, async (instance, collector) => {
        const { service, version } = await versionOf(instance);
        await post(target, instance);
        const { resource } = await collector.wait("a span", () => true);
        expectEqual(resource["service.name"], service, "service.name");
        expectEqual(resource["service.version"], version, "service.version");
        expectEqual(
          resource["deployment.environment.name"],
          "stage",
          "deployment.environment.name",
        );
      });
    },
  },
  {
    id: "telemetry.unknown-routes-have-no-path-in-their-name",
    sentence: STANDARD.spans,
    async run(target) {
      await withTraced(target, {}, async (instance, collector) => {
        const path = unknownPath();
        await send(instance.url, path);
        const span = await collector.wait("the span of a 404", ({ attributes }) => {
          return attributes["http.response.status_code"] === 404;
        });
        expect(!span.name.includes(path), `a span is named ${span.name}`);
        expectEqual(span.failed, false, "a 4xx is an error of the server");
      });
    },
  },
  {
    id: "telemetry.paths-that-begin-like-a-probe's",
    level: "hardening",
    sentence: STANDARD.spans,
    async run(target) {
      await withTraced(target, {}, async (instance, collector) => {
        const traceId = newTraceId();
        const headers = { traceparent: parentOf(traceId, "01") };
        expectStatus(await send(instance.url, { path: "/healthplans", headers }), 404);
        await collector.wait("the span of /healthplans", (span) => span.traceId === traceId);
      });
    },
  },
  {
    id: "telemetry.failed-span",
    sentence: STANDARD.spans,
    async run(target) {
      const [failing = ""] = needed(target.probes, "probes").failing;
      await withTraced(target, {}, async (instance, collector) => {
        expectError(await send(instance.url, failing), 500);
        const span = await collector.wait("the span of a 500", ({ name }) =>
          name.endsWith(failing),
        );
        expectEqual(span.failed, true, "status is error");
        expectEqual(span.attributes["http.response.status_code"], 500, "http.response.status_code");
      });
    },
  },
  {
    id: "telemetry.unsampled-parent",
    sentence: STANDARD.sampling,
    async run(target) {
      await withTraced(target, {}, async (instance, collector) => {
        const unsampled = newTraceId();
        await post(target, instance, { traceparent: parentOf(unsampled, "00") });
        await endAndFlush(target, instance, collector);
        const found = collector.spans.filter(({ traceId }) => traceId === unsampled);
        expectEqual(found, [], "spans of a trace that its caller does not sample");
      });
    },
  },
  {
    id: "telemetry.ratio-0",
    sentence: STANDARD.sampling,
    async run(target) {
      await withTraced(target, { OTEL_TRACES_SAMPLER_ARG: "0" }, async (instance, collector) => {
        for (let count = 0; count < 50; count += 1) await post(target, instance);
        const sampled = newTraceId();
        await post(target, instance, { traceparent: parentOf(sampled, "01") });
        await collector.wait("the span of a sampled parent", (span) => span.traceId === sampled);
        const own = collector.spans.filter(({ traceId }) => traceId !== sampled);
        expectEqual(own.length, 0, "spans at a ratio of 0");
      });
    },
  },
  {
    id: "telemetry.ratio-1",
    sentence: STANDARD.sampling,
    async run(target) {
      await withTraced(target, { OTEL_TRACES_SAMPLER_ARG: "1" }, async (instance, collector) => {
        for (let count = 0; count < 100; count += 1) await post(target, instance);
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        const traces = new Set(collector.spans.map(({ traceId }) => traceId));
        expectEqual(traces.size, 100, "traces of 100 requests at a ratio of 1");
      });
    },
  },
  {
    id: "telemetry.ratio-half",
    sentence: STANDARD.sampling,
    async run(target) {
      return withTraced(target, { OTEL_TRACES_SAMPLER_ARG: "0.5" }, async (instance, collector) => {
        for (let count = 0; count < 400; count += 1) await post(target, instance);
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        const traces = new Set(collector.spans.map(({ traceId }) => traceId)).size;
        // 200 are expected; beyond these bounds by chance is rarer than once in ten thousand million.
        expect(traces > 130 && traces < 270, `${traces} of 400 requests were sampled`);
        return `${traces} of 400`;
      });
    },
  },
  {
    id: "telemetry.malformed-traceparent",
    level: "hardening",
    sentence: STANDARD.spans,
    async run(target) {
      await withTraced(target, {}, async (instance, collector) => {
        for (const traceparent of MALFORMED_PARENTS) {
          expectStatus(await post(target, instance, { traceparent }), ...OK);
        }
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        const roots = collector.spans.filter(({ parentSpanId }) => parentSpanId === "");
        expectEqual(roots.length, MALFORMED_PARENTS.length, "new traces");
        expect(
          roots.every(({ traceId }) => /^[0-9a-f]{32}$/.test(traceId) && !/^0+$/.test(traceId)),
          "a new trace has no proper id",
        );
      });
    },
  },
  {
    id: "telemetry.two-traceparents",
    level: "hardening",
    sentence: STANDARD.spans,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      const headers = [newTraceId(), newTraceId()].map(
        (traceId) => ["traceparent", parentOf(traceId, "01")] as const,
      );
      const json = validBody(target);
      expectStatus(await send(target.url, { method: "POST", path, headers, json }), ...OK);
    },
  },
  {
    id: "telemetry.hostile-tracestate",
    level: "hardening",
    sentence: STANDARD.spans,
    async run(target) {
      for (const tracestate of ["", "=", "a=b,".repeat(500), "a=\t", "é=ü", "x".repeat(5_000)]) {
        const headers = {
          traceparent: parentOf(newTraceId(), "01"),
          tracestate,
          baggage: tracestate,
        };
        expectStatus(await post(target, target, headers), ...OK);
      }
    },
  },
  {
    id: "telemetry.outbound",
    sentence: STANDARD.spans,
    async run(target) {
      await withTraced(target, {}, async (instance, collector) => {
        const traceId = newTraceId();
        const seen = await call(target, instance, {
          traceparent: parentOf(traceId, "01"),
          tracestate: "vendor=value",
        });
        const [server, client] = await Promise.all(
          (["SERVER", "CLIENT"] as const).map((kind) =>
            collector.wait(
              `the ${kind} span`,
              (span) => span.traceId === traceId && span.kind === kind,
            ),
          ),
        );
        expectEqual(client?.parentSpanId, server?.spanId, "parent of the outbound span");
        expectEqual(
          seen["traceparent"],
          `00-${traceId}-${client?.spanId}-01`,
          "traceparent sent on",
        );
        expectEqual(seen["tracestate"], "vendor=value", "tracestate sent on");
      });
    },
  },
  {
    id: "telemetry.outbound-unsampled",
    sentence: STANDARD.spans,
    async run(target) {
      await withTraced(target, {}, async (instance) => {
        const traceId = newTraceId();
        const seen = await call(target, instance, { traceparent: parentOf(traceId, "00") });
        const sent = String(seen["traceparent"]);
        expect(
          new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`).test(sent),
          `traceparent sent on for a trace that is not sampled: ${sent}`,
        );
      });
    },
  },
  {
    id: "telemetry.ids-sent-on",
    sentence: STANDARD.requestIdEverywhere,
    async run(target) {
      const seen = await call(target, target, {
        "X-Request-ID": "sent-on-request",
        "X-Correlation-ID": "sent-on-correlation",
      });
      expectEqual(seen["x-request-id"], "sent-on-request", "X-Request-ID sent on");
      expectEqual(seen["x-correlation-id"], "sent-on-correlation", "X-Correlation-ID sent on");
    },
  },
  {
    id: "telemetry.credentials-not-sent-on",
    sentence: STANDARD.secrets,
    async run(target) {
      const seen = await call(target, target, { Authorization: "Bearer own", Cookie: "own=1" });
      expectEqual(seen["authorization"], undefined, "Authorization sent on");
      expectEqual(seen["cookie"], undefined, "Cookie sent on");
    },
  },
  {
    id: "telemetry.upstream-down",
    sentence: STANDARD.errorBody,
    async run(target) {
      const { calling } = needed(target.probes, "probes");
      const json = { url: `http://127.0.0.1:${await closedPort()}/` };
      const response = await send(target.url, { method: "POST", path: calling, json });
      expectError(response, 502, "EXTERNAL_SERVICE_ERROR");
      expect(!response.text.includes("127.0.0.1"), "the error names the upstream");
    },
  },
  {
    id: "telemetry.flushed-at-shutdown",
    sentence: STANDARD.flush,
    async run(target) {
      await withTraced(target, {}, async (instance, collector) => {
        const traceId = newTraceId();
        await post(target, instance, { traceparent: parentOf(traceId, "01") });
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        const found = collector.spans.filter((span) => span.traceId === traceId);
        expectEqual(found.length, 1, "spans of the last request");
      });
    },
  },
  {
    id: "telemetry.no-secrets",
    sentence: STANDARD.secrets,
    async run(target) {
      await withTraced(target, {}, async (instance, collector) => {
        const secret = "s3cr3t-of-a-span";
        const { path } = needed(target.jsonRoute, "jsonRoute");
        await send(instance.url, {
          method: "POST",
          path: `${path}?token=${secret}`,
          json: { password: secret },
          headers: { Authorization: secret, Cookie: secret },
        });
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        expect(collector.spans.length > 0, "no span was exported");
        expect(!collector.raw().includes(secret), "a secret was exported");
      });
    },
  },
  {
    id: "telemetry.collector-refuses-connections",
    sentence: STANDARD.collectorDown,
    async run(target) {
      const endpoint = `http://127.0.0.1:${await closedPort()}`;
      return expectUnharmed(target, endpoint);
    },
  },
  {
    id: "telemetry.collector-never-answers",
    sentence: STANDARD.collectorDown,
    async run(target) {
      const sockets: Socket[] = [];
      const hole = createTcpServer((socket) => sockets.push(socket.on("error", () => {})));
      hole.listen(0, "127.0.0.1");
      await once(hole, "listening");
      try {
        const { port } = hole.address() as AddressInfo;
        return await expectUnharmed(target, `http://127.0.0.1:${port}`);
      } finally {
        for (const socket of sockets) socket.destroy();
        hole.close();
      }
    },
  },
  {
    id: "telemetry.collector-that-talks-nonsense",
    level: "hardening",
    sentence: STANDARD.collectorDown,
    async run(target) {
      const sockets: Socket[] = [];
      const babbler = createTcpServer((socket) => {
        sockets.push(socket.on("error", () => {}));
        socket.write(randomBytes(1_000));
      });
      babbler.listen(0, "127.0.0.1");
      await once(babbler, "listening");
      try {
        const { port } = babbler.address() as AddressInfo;
        return await expectUnharmed(target, `http://127.0.0.1:${port}`);
      } finally {
        for (const socket of sockets) socket.destroy();
        babbler.close();
      }
    },
  },
];

async function withTraced(
  target: Target,
  environment: Record<string, string>,
  use: (instance: Instance, collector: Collector) => Promise<string | void>,
): Promise<string | void> {
  return withCollector((collector) => {
    const traced = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      // OpenTelemetry's own setting. A batch that waits its usual five seconds would be waited for again and again.
      OTEL_BSP_SCHEDULE_DELAY: "200",
      ...environment,
    };
    return withInstance(target, { environment: traced }, (instance) => use(instance, collector));
  });
}

function post(
  target: Target,
  { url }: { url: string },
  headers: Record<string, string> = {},
): Promise<WireResponse> {
  const { path } = needed(target.jsonRoute, "jsonRoute");
  return send(url, { method: "POST", path, json: validBody(target), headers });
}

/** Stops the instance; what it had to export is here after that. */
async function endAndFlush(
  target: Target,
  instance: Instance,
  collector: Collector,
): Promise<void> {
  const last = newTraceId();
  await post(target, instance, { traceparent: parentOf(last, "01") });
  instance.signal("SIGTERM");
  await expectExit(instance, 0);
  expect(
    collector.spans.some(({ traceId }) => traceId === last),
    "the span of a sampled parent was not exported",
  );
}

/** Lets the service call a server of ours. @returns the headers that came in there. */
async function call(
  target: Target,
  { url }: { url: string },
  headers: Record<string, string>,
): Promise<IncomingHttpHeaders> {
  const { calling } = needed(target.probes, "probes");
  const seen: IncomingHttpHeaders[] = [];
  const upstream = createServer((req, res) => {
    seen.push(req.headers);
    res.end("{}");
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  try {
    const { port } = upstream.address() as AddressInfo;
    const json = { url: `http://127.0.0.1:${port}/` };
    expectStatus(await send(url, { method: "POST", path: calling, json, headers }), 200);
  } finally {
    upstream.close();
    upstream.closeAllConnections();
  }
  expectEqual(seen.length, 1, "number of calls that came in");
  return seen[0] ?? {};
}

/** Requests are answered as fast as without a collector, and the end is in order, whatever the collector does. */
async function expectUnharmed(target: Target, endpoint: string): Promise<string> {
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
  return withInstance(target, { workers: 1, environment }, async (instance) => {
    const note = await withInstance(target, { workers: 1 }, (plain) => {
      return expectAsFast(target, instance, plain);
    });
    instance.signal("SIGTERM");
    await expectExit(instance, 0);
    return note;
  });
}

/**
 * Asks two instances in turn, so that whatever else the machine does slows both. In rounds, because a slow service
 * is slow in one after the other; together they are more requests than fit a batch of spans.
 */
async function expectAsFast(target: Target, instance: Instance, plain: Instance): Promise<string> {
  const notes: string[] = [];
  let slowRounds = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const times: [number[], number[]] = [[], []];
    for (let count = 0; count < EACH_ROUND; count += 1) {
      times[0].push(await timeOfPost(target, instance));
      times[1].push(await timeOfPost(target, plain));
    }
    const [own, other] = [median(times[0]), median(times[1])];
    notes.push(`${own.toFixed(2)} ms beside ${other.toFixed(2)} ms`);
    slowRounds = own > 3 * other + 50 ? slowRounds + 1 : 0;
    expect(slowRounds < 3, `slower than without a collector: ${notes.slice(-3).join(", ")}`);
  }
  return `in the last round ${notes.at(-1)}`;
}

/** Every span is to be exported. */
async function timeOfPost(target: Target, instance: Instance): Promise<number> {
  const start = performance.now();
  const headers = { traceparent: parentOf(newTraceId(), "01") };
  expectStatus(await post(target, instance, headers), ...OK);
  return performance.now() - start;
}

async function closedPort(): Promise<number> {
  const server = createTcpServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function newTraceId(): string {
  return randomBytes(16).toString("hex");
}

function parentOf(traceId: string, flags: string): string {
  return `00-${traceId}-${PARENT}-${flags}`;
}
