import { setTimeout as delay } from "node:timers/promises";

import { innocents, sendOne, startLoad } from "../load.ts";
import { isAlive, run, type Subject } from "../subject.ts";
import { type Drill, grouped, type Outcome, PAUSE_MS, seconds } from "./outcome.ts";

const KILLS = 3;
/** Seconds. */
const HANG_TIMEOUT = 3;

/** Workers that are killed, or that hang, and a primary that is killed. */
export const deaths: Drill[] = [
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
    title: "kill -9 of the primary with four requests of 2 s in flight",
    counts: "failed requests, and workers that outlive them by 5 s",
    perform: orphan,
  },
];

async function killWorkers(subject: Subject, workers: number): Promise<Outcome> {
  const running = await run(subject, { workers });
  const load = startLoad(running.port);
  const victims = new Set<number>();
  for (let round = 0; round < KILLS; round += 1) {
    await delay(PAUSE_MS);
    const victim = running.workers()[0] ?? 0;
    victims.add(victim);
    process.kill(victim, "SIGKILL");
    await running.until(() => {
      const now = running.workers();
      return now.length === workers && !now.includes(victim);
    });
  }
  await delay(2 * PAUSE_MS);
  const tally = await load.stop();
  const lost = innocents(tally, victims).length;
  const inside = tally.failures.length - lost;
  return { text: `${lost} (and ${inside} that were in it) of ${grouped(tally.sent)}`, wrong: lost };
}

async function blockWorker(subject: Subject, path: string, place: RegExp): Promise<Outcome> {
  const running = await run(subject, { timeout: HANG_TIMEOUT });
  const load = startLoad(running.port);
  await delay(PAUSE_MS);
  const before = new Set(running.workers());
  const began = performance.now();
  const blocked = sendOne(running.port, path);
  await running.until(() => [...before].some((pid) => !isAlive(pid)));
  const tookMs = performance.now() - began;
  await blocked;
  await delay(2 * PAUSE_MS);
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

async function orphan(subject: Subject): Promise<Outcome> {
  const running = await run(subject);
  const workers = running.workers();
  const slow = Array.from({ length: 4 }, () => sendOne(running.port, "/drill/slow?ms=2000"));
  await delay(PAUSE_MS);
  running.signal("SIGKILL");
  const failed = (await Promise.all(slow)).filter((failure) => failure !== undefined).length;
  await delay(5_000);
  const left = workers.filter(isAlive).length;
  return { text: `${failed} failed, ${left} left behind`, wrong: failed + left };
}
