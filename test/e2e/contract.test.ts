import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { runCheck } from "../../src/verify/check.ts";
import { runContract } from "../../src/verify/run-contract.ts";
import { ALL_CHECKS } from "../contract/checks.ts";
import { launcherOf } from "../contract/service/launch.ts";
import { fuzz } from "../contract/service/schemathesis.ts";
import { targetOf } from "../contract/service/target-of.ts";
import type { Dependency, Instance, Launch, Target } from "../../src/verify/target.ts";
import { createService, runScript } from "../support/generated.ts";
import { allVariants, templates, titleOf } from "../support/templates.ts";
import { type Group, startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

// Held against the plain services alone, in test/contract, to save time: they kill or hang processes, wait five seconds
// for a batch of spans, or start a service for a setting, and the integrations have no part in what they look at.
const ELSEWHERE = [
  "docs.off-in-prod",
  "docs.on-in-dev",
  "docs.on-in-stage",
  "docs.on-in-preprod",
  "request-id.on-a-preflight",
  "cors.configured-origins",
  "cors.strangers",
  "cors.preflight",
  "cors.preflight-of-a-stranger",
  "cors.on-errors",
  "cors.request-id-readable",
  "cors.header-injection",
  "logs.one-object-a-line-under-load",
  "metrics.survive-a-worker",
  "metrics.scrape-while-a-worker-hangs",
  "process.killed-worker-replaced",
  "process.every-worker-killed",
  "process.nobody-else-notices-a-kill",
  "process.hung-worker-replaced",
  "process.no-orphans",
  "telemetry.inbound-span",
  "telemetry.resource",
  "telemetry.unknown-routes-have-no-path-in-their-name",
  "telemetry.paths-that-begin-like-a-probe's",
  "telemetry.failed-span",
  "telemetry.unsampled-parent",
  "telemetry.ratio-0",
  "telemetry.ratio-1",
  "telemetry.ratio-half",
  "telemetry.outbound",
  "telemetry.collector-refuses-connections",
  "telemetry.collector-never-answers",
  "telemetry.collector-that-talks-nonsense",
];

test("only checks that exist are left out", () => {
  expect(ALL_CHECKS.map(({ id }) => id)).toEqual(expect.arrayContaining(ELSEWHERE));
});

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

/**
 * Starts instances of the service in `directory` that find the servers. Each has a consumer group of its own: in one
 * with others it would wait for their next heartbeats when it starts, and they for its end.
 */
function launcherIn(directory: string, group: Group): Launch {
  const launch = launcherOf(directory);
  return (options) => {
    const own = { KAFKA_CONSUMER_GROUP: randomUUID() };
    return launch({
      ...options,
      environment: { ...group.environment, ...own, ...options?.environment },
    });
  };
}

function whenReady(launch: Launch): Launch {
  return async (options) => {
    const started = await launch(options);
    await until("a service that is ready", async () => {
      return (await fetch(`${started.url}/health/ready`)).status === 200;
    });
    return started;
  };
}

// One integration at a time, and all of them below: what lies between tells nothing new.
const single = allVariants(templates.manifest)
  .filter(({ packageManager }) => packageManager === "npm")
  .filter(({ integrations: { length } }) => {
    return length === 1;
  })
  .map((answers) => ({ title: titleOf(answers), ...answers }));

test.each(single)("the contract of $title, over HTTP", async ({ framework, integrations }) => {
  const name = ["contract", framework, ...integrations].join("-");
  const flags = ["--framework", framework, "--integrations", integrations.join()];
  const directory = await createService(name, flags);
  await runScript(directory, "build");
  await using group = await surroundings.newGroup();
  const launch = launcherIn(directory, group);
  const instance = await whenReady(launch)({ workers: 1 });
  try {
    const { url, jsonRoute } = targetOf(instance, launch);
    const results = await runContract({ url, ...(jsonRoute && { jsonRoute }) }, ALL_CHECKS);
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    const passed = results.filter(({ outcome }) => outcome === "passed");
    expect(passed.length).toBeGreaterThan(results.length / 2);
  } finally {
    await instance.stop();
  }
});

const services = inject("services");

describe.each(Object.entries(services))(
  "the contract of %s with every integration",
  (_name, directory) => {
    let launch: Launch;
    let instance: Instance | undefined;
    let target: Target;

    beforeAll(async () => {
      const group = await surroundings.newGroup();
      launch = launcherIn(directory, group);
      instance = await launch({ workers: 2 });
      target = { ...targetOf(instance, launch), dependencies: dependenciesOf(surroundings) };
      return () => group[Symbol.asyncDispose]();
    });
    afterAll(() => instance?.stop());

    // First, because the last checks take the dependencies away, and a server error is one whatever its reason.
    test("fuzzed from its openapi.json", async (context) => {
      await fuzz(whenReady(launch), context);
    });

    test.each(ALL_CHECKS.filter(({ id }) => !ELSEWHERE.includes(id)))("$id", async (check) => {
      const { sentence, outcome, note } = await runCheck(check, target);
      expect(outcome, `${note}\nthe standard: ${sentence}`).toBe("passed");
    });
  },
);

function dependenciesOf({ kafka, dynamoDb, s3, members }: Surroundings): Dependency[] {
  return [
    { name: "kafka", critical: true, stop: () => kafka.stop(), start: kafka.start },
    { name: "dynamodb", critical: true, stop: dynamoDb.stop, start: dynamoDb.start },
    { name: "s3", critical: false, stop: s3.stop, start: s3.start },
    { name: "grpc", critical: false, stop: () => members.stop(), start: members.start },
  ];
}
