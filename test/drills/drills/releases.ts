import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { innocents, sendOne, startLoad } from "../load.ts";
import { launch, run, type Subject } from "../subject.ts";
import { describeEnd, type Drill, type Outcome, PAUSE_MS } from "./outcome.ts";
import { underLoad } from "./under-load.ts";

const CRASH_LOOP_MS = 15_000;
/** How long the service is watched on a release that does not start. */
const BROKEN_MS = 4_000;

/** Releases that do not start, or do not last. */
export const releases: Drill[] = [
  {
    title: "HUP onto a broken build under load",
    counts: "failed requests",
    perform: (subject, requests) =>
      underLoad(subject, {}, requests / 4, async (running) => {
        subject.breakBuild();
        running.signal("SIGHUP");
        await delay(BROKEN_MS);
      }),
  },
  {
    title: "kill -9 of a worker while the build is broken, under load",
    counts: "failed requests that were not in that worker",
    async perform(subject) {
      const running = await run(subject);
      const load = startLoad(running.port);
      await delay(PAUSE_MS);
      subject.breakBuild();
      const [victim = 0] = running.workers();
      process.kill(victim, "SIGKILL");
      await delay(BROKEN_MS);
      subject.mendBuild();
      await running.until(() => running.workers().filter((pid) => pid !== victim).length === 2);
      await delay(PAUSE_MS);
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
];

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
