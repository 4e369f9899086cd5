import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, inject, it } from "vitest";

import { type LogLine, type Service, startService } from "./service/run.ts";
import { startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

const DEPENDENCIES = ["kafka", "dynamodb", "s3", "grpc"];
// Long enough for several rounds of checks and retries.
const OUTAGE_MS = 20_000;
const RECOVERY_MS = 10_000;
// A busy machine may be late; a service that is always late is not excused.
const TRIES = 3;

// Beside each other, as most of it is waiting, and each has servers of its own.
const services = Object.entries(inject("services"));
describe.concurrent.each(services)("%s: everything is down", (name, directory) => {
  it("the service starts, says what it lacks once, and recovers within ten seconds", async () => {
    await using surroundings = await startSurroundings();
    await using group = await surroundings.newGroup();
    await stopAll(surroundings);

    await using service = await startService(directory, group.environment);
    await delay(OUTAGE_MS);
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
    expect(await service.ready()).toEqual({
      status: 503,
      checks: { kafka: "unhealthy", dynamodb: "unhealthy", s3: "unhealthy", grpc: "unhealthy" },
    });
    // The process for background work says it, too.
    expectOneLineEach(await service.lines(), service.workerPids().length + 1);

    const times: number[] = [];
    do {
      if (times.length > 0) {
        await stopAll(surroundings);
        await until("503", async () => (await service.ready()).status === 503);
      }
      times.push(await recovery(service, surroundings));
    } while (Math.min(...times) > RECOVERY_MS && times.length < TRIES);
    process.stdout.write(
      `${name}: ready ${times.map(Math.round).join(", ")} ms after the return\n`,
    );
    expect(Math.min(...times)).toBeLessThan(RECOVERY_MS);
  });
});

async function stopAll({ kafka, dynamoDb, s3, members }: Surroundings): Promise<void> {
  await Promise.all([kafka.stop("SIGKILL"), dynamoDb.stop(), s3.stop(), members.stop()]);
}

/** Starts everything again. @returns how long the service then takes until all of it is healthy. */
async function recovery(
  service: Service,
  { kafka, dynamoDb, s3, members }: Surroundings,
): Promise<number> {
  await Promise.all([kafka.start(), dynamoDb.start(), s3.start(), members.start()]);
  const start = performance.now();
  await until("a service with everything healthy", async () => {
    const { status, checks } = await service.ready();
    return status === 200 && DEPENDENCIES.every((name) => checks[name] === "healthy");
  });
  return performance.now() - start;
}

/** Each dependency is told of, and each thing is told by a process once, though it was tried many times. */
function expectOneLineEach(lines: LogLine[], processes: number): void {
  const told = lines.filter(({ level }) => level === "error" || level === "warn");
  for (const name of DEPENDENCIES) expect(told.map(({ dependency }) => dependency)).toContain(name);
  for (const [message, equal] of Map.groupBy(told, ({ message: text }) => text)) {
    expect(equal.length, message).toBeLessThanOrEqual(processes);
  }
}
