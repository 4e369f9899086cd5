import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { innocents, sendOne, startLoad, type Tally } from "./load.ts";
import { isAlive, launch, run, type Running, type Subject } from "./subject.ts";

/** What a drill came to. */
export interface Outcome {
  /** For the table. */
  text: string;
  /** How much went wrong; 0 is perfect, and fewer is better. */
  wrong: number;
  /** Requests sent, where none of them had to fail. */
  sent?: number;
}

/** One thing that happens in production, done to a running service. */
export interface Drill {
  title: string;
  /** What must not go wrong, in a few words for the table. */
  counts: string;
  /** `requests`: go on until so many were sent. */
  perform: (subject: Subject, requests: number) => Promise<Outcome>;
}

const BEFORE_MS = 1_000;
const RELOADS = 5;
const KILLS = 3;
const HANG_TIMEOUT = 3;
/** How long a load balancer goes on sending after TERM, as was measured on ECS: three to five seconds. */
const DEREGISTERED_AFTER_MS = 3_000;
/** What fsd.yml gives a task between TERM and KILL. */
const STOP_TIMEOUT_MS = 60_000;
const CRASH_LOOP_MS = 15_000;

/** All drills, in the order of the table. */
export const drills: Drill[] = [
  {
    title: `HUP reload ×${RELOADS} under load`,
    counts: "failed requests",
    perform: (subject, requests) =>
      underLoad(subject, {}, requests, async (running) => {
        for (let round = 0; round < RELOADS; round += 1) {
          const old = running.workers();
          running.signal("SIGHUP");
          await running.until(() => running.workers().length === 2 && !old.some(isAlive));
          await delay(BEFORE_MS);
        }
      }),
  },
  {
    title: "TTIN ×2, TTOU ×2 under load",
    counts: "failed requests",
    perform: (subject, requests) =>
      underLoad(subject, {}, requests, async (running) => {
        for (const [signal, workers] of [
          ["SIGTTIN", 3],
          ["SIGTTIN", 4],
          ["SIGTTOU", 3],
          ["SIGTTOU", 2],
        ] as const) {
          running.signal(signal);
          await running.until(() => running.workers().length === workers);
          await delay(BEFORE_MS);
        }
      }),
  },
  {
    title: "recycling after 1,500–2,000 requests under load",
    counts: "failed requests",
    perform: (subject, requests) =>
      underLoad(
        subject,
        { maxRequests: 1_500, maxRequestsJitter: 500 },
        requests,
        async (running) => {
          const seen = new Set(running.workers());
          await running.until(() => {
            for (const pid of running.workers()) seen.add(pid);
            return seen.size >= 6;
          });
        },
      ),
  },
  {
    title: "TERM; the load balancer sends for 3 s more",
    counts: "failed requests",
    async perform(subject, requests) {
      const running = await run(subject);
      const load = startLoad(running.port);
      await sentAtLeast(load.tally, requests);
      await delay(BEFORE_MS);
      running.signal("SIGTERM");
      await delay(DEREGISTERED_AFTER_MS);
      const tally = await load.stop();
      await running.until(() => false);
      return failuresOf(tally, exitProblem(running));
    },
  },
  {
    title: "full stop with eight requests of 10 s in flight",
    counts: "failed requests, late or wrong exit",
    async perform(subject) {
      const running = await run(subject);
      const slow = Array.from({ length: 8 }, () => sendOne(running.port, "/drill/slow?ms=10000"));
      await delay(BEFORE_MS);
      const began = performance.now();
      running.signal("SIGTERM");
      const failed = (await Promise.all(slow)).filter((failure) => failure !== undefined).length;
      await running.until(() => false);
      const tookMs = performance.now() - began;
      const problem = exitProblem(running);
      return {
        text: `${failed} of 8 failed, exit ${running.ended()} after ${seconds(tookMs)}`,
        wrong: failed + problem.length + (tookMs > STOP_TIMEOUT_MS ? 1 : 0),
      };
    },
  },
  {
    title: `kill -9 of a worker ×${KILLS} under load`,
    counts: "failed requests that were not in that worker",
    perform: (subject) => killWorkers(subject, 2),
  },
  {
    title: `kill -9 of the only worker ×${KILLS} under load`,
    counts: "refused connections and other innocents",
    perform: (subject) => killWorkers(subject, 1),
  },
  {
    title: "a worker in an endless loop under load",
    counts: "failed requests not in it; the log is silent on the cause",
    perform: (subject) => blockWorker(subject, "/drill/loop", /endlessLoop|endless_loop/),
  },
  {
    title: "a worker in a catastrophic regex under load",
    counts: "failed requests not in it; the log is silent on the cause",
    perform: (subject) => blockWorker(subject, "/drill/regex", /backtrack/),
  },
  {
    title: "HUP onto a broken build under load",
    counts: "failed requests",
    perform: (subject, requests) =>
      underLoad(subject, {}, requests / 4, async (running) => {
        subject.breakBuild();
        running.signal("SIGHUP");
        await delay(4_000);
      }),
  },
  {
    title: "kill -9 of a worker while the build is broken, under load",
    counts: "failed requests that were not in that worker",
    async perform(subject) {
      const running = await run(subject);
      const load = startLoad(running.port);
      await delay(BEFORE_MS);
      subject.breakBuild();
      const [victim = 0] = running.workers();
      process.kill(victim, "SIGKILL");
      await delay(4_000);
      subject.mendBuild();
      await running.until(() => running.workers().filter((pid) => pid !== victim).length === 2);
      await delay(BEFORE_MS);
      const lost = innocents(await load.stop(), new Set([victim])).length;
      const end = running.ended();
      return { text: `${lost} failed${describeEnd(end)}`, wrong: lost };
    },
  },
  {
    title: "a crash loop: every worker dies 1.5 s after its birth",
    counts: "workers started in 15 s; no recovery once it is mended",
    perform: crashLoop,
  },
  {
    title: "a first start that fails",
    counts: "no exit, or exit code other than 3",
    async perform(subject) {
      subject.breakBuild();
      const running = await launch(subject);
      await running.until(() => false);
      const code = running.ended();
      subject.mendBuild();
      return { text: `exit ${code}`, wrong: code === 3 ? 0 : 1 };
    },
  },
  {
    title: "kill -9 of the primary with four requests of 2 s in flight",
    counts: "failed requests, and workers that outlive them by 5 s",
    perform: orphan,
  },
];

async function underLoad(
  subject: Subject,
  options: Parameters<typeof run>[1],
  requests: number,
  disturb: (running: Running) => Promise<void>,
): Promise<Outcome> {
  const running = await run(subject, options);
  const load = startLoad(running.port);
  await delay(BEFORE_MS);
  await disturb(running);
  if (running.ended() === undefined) await sentAtLeast(load.tally, requests);
  const tally = await load.stop();
  const end = running.ended();
  subject.mendBuild();
  return failuresOf(tally, end === undefined ? "" : describeEnd(end));
}

async function killWorkers(subject: Subject, workers: number): Promise<Outcome> {
  const running = await run(subject, { workers });
  const load = startLoad(running.port);
  const victims = new Set<number>();
  for (let round = 0; round < KILLS; round += 1) {
    await delay(BEFORE_MS);
    const victim = running.workers()[0] ?? 0;
    victims.add(victim);
    process.kill(victim, "SIGKILL");
    await running.until(() => {
      const now = running.workers();
      return now.length === workers && !now.includes(victim);
    });
  }
  await delay(2 * BEFORE_MS);
  const tally = await load.stop();
  const lost = innocents(tally, victims).length;
  const inside = tally.failures.length - lost;
  return { text: `${lost} (and ${inside} that were in it) of ${grouped(tally.sent)}`, wrong: lost };
}

async function blockWorker(subject: Subject, path: string, place: RegExp): Promise<Outcome> {
  const running = await run(subject, { timeout: HANG_TIMEOUT });
  const load = startLoad(running.port);
  await delay(BEFORE_MS);
  const before = new Set(running.workers());
  const began = performance.now();
  const blocked = sendOne(running.port, path);
  await running.until(() => [...before].some((pid) => !isAlive(pid)));
  const tookMs = performance.now() - began;
  await blocked;
  await delay(2 * BEFORE_MS);
  const tally = await load.stop();
  const victims = new Set([...before].filter((pid) => !isAlive(pid)));
  const lines = running.log().split("\n");
  const explained = lines.some((line) => subject.explainsHang(line) && place.test(line));
  const lost = innocents(tally, victims).length;
  return {
    text: `${lost}; killed after ${seconds(tookMs)}; ${explained ? "stack and request logged" : "no cause logged"}`,
    wrong: lost + (explained ? 0 : 1),
  };
}

async function crashLoop(subject: Subject): Promise<Outcome> {
  const running = await run(subject);
  const flag = join(subject.folder, "crash");
  writeFileSync(flag, "");
  const first = running.workers();
  for (const pid of first) process.kill(pid, "SIGKILL");
  const seen = new Set<number>();
  const until = performance.now() + CRASH_LOOP_MS;
  await running.until(() => {
    for (const pid of running.workers()) seen.add(pid);
    return performance.now() > until;
  });
  rmSync(flag);
  let recovered = false;
  await running.until(async () => {
    recovered = (await sendOne(running.port, "/drill/fast")) === undefined;
    return recovered;
  });
  const started = [...seen].filter((pid) => !first.includes(pid)).length;
  return {
    text: `${started} started, ${recovered ? "recovered" : "stopped"}`,
    wrong: started + (recovered ? 0 : 1_000),
  };
}

async function orphan(subject: Subject): Promise<Outcome> {
  const running = await run(subject);
  const workers = running.workers();
  const slow = Array.from({ length: 4 }, () => sendOne(running.port, "/drill/slow?ms=2000"));
  await delay(BEFORE_MS);
  running.signal("SIGKILL");
  const failed = (await Promise.all(slow)).filter((failure) => failure !== undefined).length;
  await delay(5_000);
  const left = workers.filter(isAlive).length;
  return { text: `${failed} failed, ${left} left behind`, wrong: failed + left };
}

async function sentAtLeast(tally: Tally, requests: number): Promise<void> {
  while (tally.sent < requests) await delay(50);
}

function failuresOf(tally: Tally, remark: string): Outcome {
  const kinds = new Map<string, number>();
  for (const { kind } of tally.failures) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const details = [...kinds].map(([kind, times]) => `${times} ${kind}`).join(", ");
  return {
    text: `${grouped(tally.failures.length)} of ${grouped(tally.sent)}${details && ` (${details})`}${remark}`,
    wrong: tally.failures.length,
    sent: tally.sent,
  };
}

function exitProblem(running: Running): string {
  return running.ended() === 0 ? "" : `, exit ${running.ended()}`;
}

function describeEnd(end: number | string | undefined): string {
  return end === undefined ? "" : `, service stopped (exit ${end})`;
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
