import { setTimeout as delay } from "node:timers/promises";

import { startLoad, type Tally } from "../load.ts";
import { run, type Running, type RunOptions, type Subject } from "../subject.ts";
import { describeEnd, failuresOf, type Outcome, PAUSE_MS } from "./outcome.ts";

/** Does something to a service while requests come in; none of them may fail. */
export async function underLoad(
  subject: Subject,
  options: RunOptions,
  requests: number,
  disturb: (running: Running) => Promise<void>,
): Promise<Outcome> {
  const running = await run(subject, options);
  const load = startLoad(running.port);
  await delay(PAUSE_MS);
  await disturb(running);
  if (running.ended() === undefined) await sentAtLeast(load.tally, requests);
  const tally = await load.stop();
  const end = running.ended();
  subject.mendBuild();
  return failuresOf(tally, end === undefined ? "" : describeEnd(end));
}

/** Waits until the load has sent so many. */
export async function sentAtLeast(tally: Tally, requests: number): Promise<void> {
  while (tally.sent < requests) await delay(50);
}
