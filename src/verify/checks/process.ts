import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

import { type Check, needed } from "../check.ts";
import { eventually } from "../eventually.ts";
import { expect, expectEqual, expectStatus } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Instance, Target } from "../target.ts";
import { Connection } from "../wire/connection.ts";
import { formatRequest, send } from "../wire/send.ts";
import {
  exitCodeOf,
  expectAlive,
  expectExit,
  expectFailedStart,
  OK,
  validBody,
  withInstance,
} from "./steps.ts";

const SETTLE_MS = 500;

/** Workers, signals, and what becomes of requests when processes end. */
export const processChecks: Check[] = [
  {
    id: "process.workers",
    sentence: STANDARD.workers,
    async run(target) {
      await withInstance(target, {}, async (instance) => {
        // What a container may use is told to its processes in ways that a suite outside it cannot see.
        expectEqual(instance.workerPids().length, availableParallelism(), "number of workers");
      });
    },
  },
  {
    id: "process.bound-to-every-address",
    sentence: STANDARD.workers,
    async run(target) {
      await withInstance(target, {}, async (instance) => {
        for (const address of [`${instance.url}/health`, `${instance.metricsUrl}/metrics`]) {
          // Another loopback address: only a socket on 0.0.0.0 answers there.
          const other = new URL(address.replace(/127\.0\.0\.1|localhost/, "127.0.0.2"));
          expectStatus(await send(other.origin, other.pathname), 200);
        }
      });
    },
  },
  {
    id: "process.term-finishes-requests",
    sentence: STANDARD.graceful,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        const uploads = await Promise.all(Array.from({ length: 8 }, () => begin(target, instance)));
        instance.signal("SIGTERM");
        await refused(instance);
        for (const upload of uploads) upload.finish();
        for (const upload of uploads) expectStatus(await upload.answer(), ...OK);
        await expectExit(instance, 0);
      });
    },
  },
  {
    id: "process.term-when-idle",
    sentence: STANDARD.graceful,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
      });
    },
  },
  {
    id: "process.term-with-idle-connections",
    sentence: STANDARD.graceful,
    async run(target) {
      // Connections that are kept alive must not hold up the end until they time out.
      await withInstance(target, { gracefulTimeout: 600 }, async (instance) => {
        const connection = await Connection.open(instance.url);
        connection.write(formatRequest(instance.url, { path: "/health", keepAlive: true }));
        await connection.read("GET /health");
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        await connection.closed("an idle connection after TERM");
      });
    },
  },
  {
    id: "process.term-twice",
    level: "hardening",
    sentence: STANDARD.graceful,
    async run(target) {
      await withInstance(target, {}, async (instance) => {
        const upload = await begin(target, instance);
        instance.signal("SIGTERM");
        await refused(instance);
        instance.signal("SIGTERM");
        upload.finish();
        await upload.answer().catch(() => {});
        await exitCodeOf(instance);
      });
    },
  },
  {
    id: "process.graceful-timeout",
    sentence: STANDARD.graceful,
    async run(target) {
      await withInstance(target, { gracefulTimeout: 1 }, async (instance) => {
        const upload = await begin(target, instance);
        instance.signal("SIGTERM");
        await exitCodeOf(instance);
        await upload.closed();
      });
    },
  },
  {
    id: "process.no-request-lost-in-a-drain",
    sentence: STANDARD.graceful,
    async run(target) {
      await withInstance(target, { workers: 2, drainDelay: 2 }, async (instance) => {
        // As after a deregistration: requests go on for a while and then there are no more.
        instance.signal("SIGTERM");
        for (let count = 0; count < 100; count += 1) {
          expectStatus(await send(instance.url, "/health"), 200);
        }
        await expectExit(instance, 0);
      });
    },
  },
  {
    id: "process.interrupt",
    level: "hardening",
    sentence: STANDARD.graceful,
    async run(target) {
      await withInstance(target, {}, async (instance) => {
        instance.signal("SIGINT");
        await exitCodeOf(instance);
      });
    },
  },
  {
    id: "process.killed-worker-replaced",
    sentence: STANDARD.timeout,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        const [victim = 0] = instance.workerPids();
        process.kill(victim, "SIGKILL");
        await replaced(instance, victim, 2);
        await expectAlive(instance);
      });
    },
  },
  {
    id: "process.every-worker-killed",
    sentence: STANDARD.timeout,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        const victims = instance.workerPids();
        for (const pid of victims) process.kill(pid, "SIGKILL");
        for (const pid of victims) await replaced(instance, pid, 2);
        await eventually("an answer after all workers were killed", async () => {
          return send(instance.url, "/health/ready").catch(() => undefined);
        });
      });
    },
  },
  {
    id: "process.nobody-else-notices-a-kill",
    level: "hardening",
    sentence: STANDARD.timeout,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        const [victim = 0] = instance.workerPids();
        // Connections wait in a queue that both workers share, so new ones find the living.
        process.kill(victim, "SIGKILL");
        for (let count = 0; count < 100; count += 1) {
          expectStatus(await send(instance.url, "/health"), 200);
        }
      });
    },
  },
  {
    id: "process.hung-worker-replaced",
    sentence: STANDARD.timeout,
    async run(target) {
      const { hanging } = needed(target.probes, "probes");
      await withInstance(target, { workers: 2, hangTimeout: 2 }, async (instance) => {
        const before = instance.workerPids();
        const stuck = send(instance.url, { method: "POST", path: hanging }).catch(() => undefined);
        // A worker takes several connections at a time: those beside the one that hangs it are lost with it.
        await delay(SETTLE_MS);
        for (let count = 0; count < 20; count += 1) {
          expectStatus(await send(instance.url, "/health"), 200);
        }
        await eventually("another worker in the place of the hung one", () => {
          const now = instance.workerPids();
          return (now.length === 2 && now.some((pid) => !before.includes(pid))) || undefined;
        });
        await stuck;
        await expectAlive(instance);
        const levels = (await instance.output()).map((line) => (JSON.parse(line) as Line).level);
        expect(
          levels.some((level) => ["error", "fatal", "critical"].includes(level)),
          "the kill of a hung worker was not logged as an error",
        );
      });
    },
  },
  {
    id: "process.no-orphans",
    level: "hardening",
    sentence: STANDARD.workers,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        const workers = instance.workerPids();
        // Not until its output ends, too: orphans would hold that open.
        process.kill(instance.pid, "SIGKILL");
        await eventually("the end of workers whose main process was killed", () => {
          return !workers.some(isRunning) || undefined;
        });
      });
    },
  },
  {
    id: "process.start-failure-is-final",
    sentence: STANDARD.settings,
    async run(target) {
      const environment = { ENVIRONMENT: "nowhere" };
      await withInstance(target, { environment, atOnce: true }, async (instance) => {
        await expectFailedStart(instance);
      });
    },
  },
];

interface Line {
  level: string;
}

interface Upload {
  finish(): void;
  answer(): ReturnType<Connection["read"]>;
  closed(): Promise<unknown>;
}

/** Begins a request, and leaves out the last byte of its body until `finish`. */
async function begin(target: Target, instance: Instance): Promise<Upload> {
  const { path } = needed(target.jsonRoute, "jsonRoute");
  const body = JSON.stringify(validBody(target));
  const connection = await Connection.open(instance.url);
  const headers = {
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    Expect: "100-continue",
  };
  connection.write(formatRequest(instance.url, { method: "POST", path, headers }));
  // The service's own word that a worker has the request.
  await connection.readInterim("a request in flight");
  connection.write(body.slice(0, -1));
  return {
    finish: () => connection.write(body.slice(-1)),
    answer: () => connection.read("a request in flight at TERM"),
    closed: () => connection.closed("a request that never ends"),
  };
}

/** Waits until the instance takes no more connections. */
async function refused({ url }: Instance): Promise<void> {
  await eventually("no more new connections after TERM", async () => {
    try {
      (await Connection.open(url)).destroy();
      return undefined;
    } catch {
      return true;
    }
  });
}

async function replaced(instance: Instance, victim: number, workers: number): Promise<void> {
  await eventually(`a worker in the place of ${victim}`, () => {
    const now = instance.workerPids();
    return (now.length === workers && !now.includes(victim)) || undefined;
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
