import { setTimeout as delay } from "node:timers/promises";

import { sendOne, startLoad } from "../load.ts";
import { isAlive, run, type Running } from "../subject.ts";
import { type Drill, failuresOf, PAUSE_MS, seconds } from "./outcome.ts";
import { sentAtLeast, underLoad } from "./under-load.ts";

const RELOADS = 5;
/** How long a load balancer goes on sending after TERM, as was measured on ECS: three to five seconds. */
const DEREGISTERED_AFTER_MS = 3_000;
/** What fsd.yml gives a task between TERM and KILL. */
const STOP_TIMEOUT_MS = 60_000;

/** What an operator does on a good day. */
export const lossless: Drill[] = [
  {
    title: `HUP reload ×${RELOADS} under load`,
    counts: "failed requests",
    perform: (subject, requests) =>
      underLoad(subject, {}, requests, async (running) => {
        for (let round = 0; round < RELOADS; round += 1) {
          const old = running.workers();
          running.signal("SIGHUP");
          await running.until(() => running.workers().length === 2 && !old.some(isAlive));
          await delay(PAUSE_MS);
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
          await delay(PAUSE_MS);
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
      await delay(PAUSE_MS);
      running.signal("SIGTERM");
      await delay(DEREGISTERED_AFTER_MS);
      const tally = await load.stop();
      await running.until(() => false);
      return failuresOf(tally, exitProblem(running));
    },
  },
];

/** What a deployment does. */
export const fullStop: Drill = {
  title: "full stop with eight requests of 10 s in flight",
  counts: "failed requests, late or wrong exit",
  async perform(subject) {
    const running = await run(subject);
    const slow = Array.from({ length: 8 }, () => sendOne(running.port, "/drill/slow?ms=10000"));
    await delay(PAUSE_MS);
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
};

function exitProblem(running: Running): string {
  return running.ended() === 0 ? "" : `, exit ${running.ended()}`;
}
