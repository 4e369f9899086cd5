import { cp } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { CREDENTIALS } from "../stack/credentials.ts";
import { startDynamoDb } from "../stack/dynamodb.ts";
import { startS3 } from "../stack/s3.ts";
import { startMoto } from "./moto.ts";

// Nothing of this depends on the framework.
const [[, directory]] = Object.entries(inject("services")) as [[string, string]];
const PLATFORM_TESTS = join(import.meta.dirname, "../platform");
const TESTS = ["test/platform/dynamodb/repository.test.ts", "test/platform/s3/store.test.ts"];
// moto looks at a condition first and writes then, and another request may come in between.
const WITHOUT_RACES = "^(?!.*(however many|that race)).*$";

beforeAll(async () => {
  for (const layer of ["dynamodb", "s3"]) {
    await cp(join(PLATFORM_TESTS, layer), join(directory, "test"), { recursive: true });
  }
});

describe("the repositories and the store keep their promises", () => {
  const stack = new AsyncDisposableStack();
  afterAll(() => stack.disposeAsync());

  it("on the servers of compose.yaml", async () => {
    const dynamoDb = stack.use(await startDynamoDb());
    const s3 = stack.use(await startS3());
    await runTests({
      AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.endpoint,
      AWS_ENDPOINT_URL_S3: s3.endpoint,
    });
  });

  it("on moto, which is one server for both", async () => {
    const endpoint = await startMoto(stack);
    await runTests(
      { AWS_ENDPOINT_URL_DYNAMODB: endpoint, AWS_ENDPOINT_URL_S3: endpoint },
      "--testNamePattern",
      WITHOUT_RACES,
    );
  });

  it("and one variable is enough for the commands that prepare a server", async () => {
    const endpoint = await startMoto(stack);
    const options = { cwd: directory, env: { ...CREDENTIALS, AWS_ENDPOINT_URL: endpoint } };
    for (const [command, what] of [
      ["dynamodb-create-table.js", "table"],
      ["s3-create-bucket.js", "bucket"],
    ] as const) {
      const first = await execa(process.execPath, [join("dist", command)], options);
      expect(first.stdout).toMatch(new RegExp(`^${what} \\S+ created$`));
      const second = await execa(process.execPath, [join("dist", command)], options);
      // In us-east-1, S3 answers as if it had created a bucket of one's own again.
      expect(second.stdout).toMatch(command.startsWith("s3") ? /created$/ : /already exists$/);
    }
  });
});

/** Runs the platform's own tests in the service, on real servers. */
async function runTests(servers: Record<string, string>, ...flags: string[]): Promise<void> {
  const { exitCode, all } = await execa("npx", ["vitest", "run", ...TESTS, ...flags], {
    cwd: directory,
    env: { ...CREDENTIALS, ...servers },
    all: true,
    reject: false,
  });
  expect(exitCode, all).toBe(0);
  expect(all).toContain("passed");
}
