import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { runCheck } from "../contract/check.ts";
import { dependencyChecks } from "../contract/checks/dependencies.ts";
import { launcherOf } from "../contract/service/launch.ts";
import { fuzz } from "../contract/service/schemathesis.ts";
import { targetOf } from "../contract/service/target-of.ts";
import type { Dependency, Instance, Launch, Target } from "../contract/target.ts";
import { startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

const services = inject("services");

describe.each(Object.entries(services))(
  "the contract of %s with every integration",
  (_name, directory) => {
    let launch: Launch;
    const launchReady: Launch = async (options) => {
      const started = await launch(options);
      await until("a service that is ready", async () => {
        return (await fetch(`${started.url}/health/ready`)).status === 200;
      });
      return started;
    };
    let instance: Instance | undefined;
    let target: Target;

    beforeAll(async () => {
      await using group = await surroundings.newGroup();
      const launcher = launcherOf(directory);
      launch = (options) =>
        launcher({ ...options, environment: { ...group.environment, ...options?.environment } });
      instance = await launch({ workers: 2 });
      target = { ...targetOf(instance, launch), dependencies: dependenciesOf(surroundings) };
    });
    afterAll(() => instance?.stop());

    // First, because the checks below take the dependencies away, and a server error is one whatever its reason.
    test("fuzzed from its openapi.json", async (context) => {
      await fuzz(launchReady, context);
    });

    // All the others are held against the plain service, in test/contract: they take as long again.
    test.each(dependencyChecks)("$id", async (check) => {
      const { sentence, outcome, note } = await runCheck(check, target);
      expect(outcome, `${note}\nthe standard: ${sentence}`).toBe("passed");
    });
  },
);

function dependenciesOf({ kafka, dynamoDb, s3 }: Surroundings): Dependency[] {
  return [
    { name: "kafka", critical: true, stop: () => kafka.stop(), start: kafka.start },
    { name: "dynamodb", critical: true, stop: dynamoDb.stop, start: dynamoDb.start },
    { name: "s3", critical: false, stop: s3.stop, start: s3.start },
  ];
}
