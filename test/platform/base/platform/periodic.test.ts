import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { createLogger } from "../../src/platform/logging.ts";
import { type PeriodicTask, startPeriodic } from "../../src/platform/periodic.ts";
import { loadSettings } from "../../src/settings.ts";

function start(run: PeriodicTask["run"], options: Partial<PeriodicTask> = {}) {
  const lines: string[] = [];
  const log = createLogger(loadSettings({}), { write: (line) => void lines.push(line) });
  const task = startPeriodic({
    name: "cleanup",
    everyMs: 5,
    timeoutMs: 600_000,
    log,
    run,
    ...options,
  });
  return { task, lines };
}

test("it runs again and again, and never twice at once", async () => {
  let running = 0;
  let most = 0;
  const done = Promise.withResolvers<void>();
  let runs = 0;
  const { task } = start(async () => {
    most = Math.max(most, (running += 1));
    await delay(20);
    running -= 1;
    if ((runs += 1) === 3) done.resolve();
  });
  await done.promise;
  await task.stop();
  expect(most).toBe(1);
});

test("a run that fails is logged and unready, until one succeeds", async () => {
  const second = Promise.withResolvers<void>();
  const third = Promise.withResolvers<void>();
  let runs = 0;
  const { task, lines } = start(async () => {
    runs += 1;
    if (runs === 1) throw new Error("no luck");
    if (runs === 2) {
      second.resolve();
      await third.promise;
    }
  });
  await second.promise;
  await expect(task.check()).rejects.toThrow("cleanup failed");
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: "error",
    message: "a periodic task failed",
    task: "cleanup",
    error: { message: "no luck" },
  });
  third.resolve();
  await delay(0);
  await expect(task.check()).resolves.toBeUndefined();
  await task.stop();
});

test("a run that takes too long is told so, and unready", async () => {
  const ended = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  const { task } = start(
    async (signal) => {
      signal.addEventListener("abort", () => late.resolve());
      await ended.promise;
    },
    { timeoutMs: 20 },
  );
  await late.promise;
  await delay(5);
  await expect(task.check()).rejects.toThrow("cleanup takes longer than 20 ms");
  ended.resolve();
  await task.stop();
});

test("a stop ends the run, waits for it, and begins no other", async () => {
  const begun = Promise.withResolvers<void>();
  let isOver = false;
  const { task, lines } = start(async (signal) => {
    begun.resolve();
    await delay(600_000, undefined, { signal }).catch(() => {});
    isOver = true;
    signal.throwIfAborted();
  });
  await begun.promise;
  await task.stop();
  expect([isOver, lines]).toEqual([true, []]);
});

test("a stop does not wait for the next run", async () => {
  const begun = Promise.withResolvers<void>();
  const { task } = start(async () => begun.resolve(), { everyMs: 600_000, jitterMs: 0 });
  await begun.promise;
  await expect(task.stop()).resolves.toBeUndefined();
});
