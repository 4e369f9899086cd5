import type { Check } from "../check.ts";
import { eventually } from "../eventually.ts";
import { expect, expectEqual, expectError, expectJson, expectStatus } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import { Connection } from "../wire/connection.ts";
import { formatRequest, send } from "../wire/send.ts";
import { ENVIRONMENTS, median, versionOf, withInstance } from "./steps.ts";

const VERSION = /^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$/;
const LIMIT_MS = 100;
const REQUESTS = 11;
const ATTEMPTS = 5;

/** `GET /health`, `/health/ready` and `/health/version`, while the service is well and while it is not. */
export const healthChecks: Check[] = [
  {
    id: "health.live",
    sentence: STANDARD.health,
    async run({ url }) {
      const response = await send(url, "/health");
      const { version } = response.json() as { version: string };
      expectJson(response, 200, { status: "healthy", version });
      expect(VERSION.test(version), `GET /health: version is ${version}`);
    },
  },
  {
    id: "health.live-time",
    sentence: STANDARD.health,
    // The median, and once is enough: a busy machine makes a few requests slow, a slow service all of them.
    async run({ url }) {
      let time = Infinity;
      for (let attempt = 0; attempt < ATTEMPTS && time >= LIMIT_MS; attempt += 1) {
        time = await medianTime(url);
      }
      expect(
        time < LIMIT_MS,
        `GET /health: ${time.toFixed(1)} ms, in the last of ${ATTEMPTS} attempts`,
      );
      return `${time.toFixed(1)} ms`;
    },
  },
  {
    id: "health.live-ignores-query",
    sentence: STANDARD.health,
    async run({ url }) {
      const { version } = await versionOf({ url });
      const body = { status: "healthy", version };
      for (const query of ["?", "?a=1", "?a=1&a=2&b[]=3", "?%zz", "?__proto__[x]=1"]) {
        expectJson(await send(url, `/health${query}`), 200, body);
      }
    },
  },
  {
    id: "health.ready",
    sentence: STANDARD.ready,
    async run({ url }) {
      const response = await send(url, "/health/ready");
      const { checks } = response.json() as { checks: Record<string, string> };
      expectJson(response, 200, { status: "ready", checks });
      for (const [name, state] of Object.entries(checks)) {
        expect(["healthy", "unhealthy"].includes(state), `checks.${name} is ${state}`);
      }
    },
  },
  {
    id: "health.version",
    sentence: STANDARD.version,
    async run({ url }) {
      const response = await send(url, "/health/version");
      const { service, version, environment } = await versionOf({ url });
      expectJson(response, 200, { service, version, environment });
      expect(VERSION.test(version), `version is ${version}`);
      expect(/^[a-z][a-z0-9-]{0,63}$/.test(service), `service is ${service}`);
      expect(ENVIRONMENTS.includes(environment), `environment is ${environment}`);
    },
  },
  {
    id: "health.one-version",
    sentence: STANDARD.health,
    async run({ url }) {
      const { version } = await versionOf({ url });
      expectJson(await send(url, "/health"), 200, { status: "healthy", version });
    },
  },
  {
    id: "health.only-get",
    sentence: STANDARD.codes,
    async run({ url }) {
      for (const path of ["/health", "/health/ready", "/health/version"]) {
        for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
          expectError(await send(url, { method, path }), 405);
        }
      }
    },
  },
  {
    id: "health.starting",
    sentence: STANDARD.notReady,
    async run(target) {
      await withInstance(target, { atOnce: true }, async (instance) => {
        const first = await eventually("the end of the start", async () => {
          const status = await statusOf(instance.url);
          return status === 503 ? undefined : status;
        });
        expectEqual(first, 200, "GET /health/ready after no answer and 503");
      });
    },
  },
  {
    id: "health.starting-metrics-port",
    level: "hardening",
    sentence: STANDARD.notReady,
    async run(target) {
      await withInstance(target, { atOnce: true }, async (instance) => {
        const first = await eventually("the end of the start", async () => {
          const status = await statusOf(instance.metricsUrl);
          return status === 503 ? undefined : status;
        });
        // A service need not answer probes on this port.
        if (first === 404) return;
        expectEqual(first, 200, "GET /health/ready of the metrics port after no answer and 503");
      });
    },
  },
  {
    id: "health.draining",
    sentence: STANDARD.notReady,
    async run(target) {
      await withInstance(target, { drainDelay: 600 }, async (instance) => {
        instance.signal("SIGTERM");
        const response = await eventually("the end of being ready", async () => {
          const answer = await send(instance.url, "/health/ready");
          return answer.status === 200 ? undefined : answer;
        });
        const { checks } = response.json() as { checks: object };
        expectJson(response, 503, { status: "not_ready", checks });
        expectStatus(await send(instance.url, "/health"), 200);
      });
    },
  },
  {
    id: "health.draining-closes-connections",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run(target) {
      await withInstance(target, { drainDelay: 600 }, async (instance) => {
        const connection = await Connection.open(instance.url);
        const request = formatRequest(instance.url, { path: "/health/ready", keepAlive: true });
        const next = async () => {
          connection.write(request);
          return connection.read("GET /health/ready while draining");
        };
        expectStatus(await next(), 200);
        instance.signal("SIGTERM");
        const response = await eventually("the end of being ready", async () => {
          const answer = await next();
          return answer.status === 200 ? undefined : answer;
        });
        expectEqual(response.header("connection"), "close", "header Connection while draining");
        await connection.closed("after Connection: close");
      });
    },
  },
];

/** The status of /health/ready, or undefined when nobody listens. */
async function statusOf(url: string): Promise<number | undefined> {
  try {
    return (await send(url, "/health/ready")).status;
  } catch {
    return undefined;
  }
}

async function medianTime(url: string): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < REQUESTS; count += 1) {
    const start = performance.now();
    expectStatus(await send(url, "/health"), 200);
    times.push(performance.now() - start);
  }
  return median(times);
}
