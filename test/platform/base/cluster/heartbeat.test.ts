import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  BEAT_INTERVAL,
  type ToPrimary,
  type WorkerConfig,
} from "../../src/platform/cluster/protocol.ts";
import { startHeartbeat } from "../../src/platform/cluster/worker.ts";
import { createLogger } from "../../src/platform/logging.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The heart of a worker whose metrics come when the test says so. */
function startHeart() {
  const told: ToPrimary[] = [];
  const lines: unknown[] = [];
  const asked: PromiseWithResolvers<object[]>[] = [];
  const service = {
    beginDrain() {},
    close: async () => {},
    readiness: () => ({ ready: true, checks: {} }),
    requestsInFlight: () => [],
    onRequestFinished() {},
    metricsSnapshot() {
      asked.push(Promise.withResolvers());
      return asked.at(-1)!.promise;
    },
  };
  const config = { maxRequests: 0, workerMemoryLimit: 0 } as WorkerConfig;
  const settings = { LOG_LEVEL: "info", SERVICE_NAME: "svc", VERSION: "1", ENVIRONMENT: "stage" };
  const log = createLogger(settings, { write: (line) => void lines.push(JSON.parse(line)) });
  const heart = startHeartbeat(service, config, log, (message, sent) => {
    told.push(message);
    sent?.();
  });
  return { heart, told, lines, asked };
}

const pass = (beats: number) => vi.advanceTimersByTimeAsync(beats * BEAT_INTERVAL * 1_000);

test("metrics that never come hold up neither the heartbeat nor the stop", async () => {
  const { heart, told, lines, asked } = startHeart();
  await pass(20);
  expect(told.length).toBeGreaterThanOrEqual(20);
  // Nor do they pile up.
  expect(asked).toHaveLength(1);
  expect(lines).toMatchObject([{ level: "error", message: "collecting the metrics failed" }]);
  const stopped = heart.stop();
  await pass(5);
  await stopped;
});

test("metrics that come too late are sent again later", async () => {
  const { heart, told, asked } = startHeart();
  await pass(6);
  asked[0]!.resolve([{ name: "late" }]);
  await pass(5);
  asked[1]!.resolve([{ name: "fresh" }]);
  await pass(1);
  expect(told.flatMap((beat) => ("metrics" in beat ? [beat.metrics] : []))).toEqual([
    [{ name: "fresh" }],
  ]);
  void heart.stop();
});
