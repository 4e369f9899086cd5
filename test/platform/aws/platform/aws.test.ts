import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { awsFailure } from "../../src/platform/aws-errors.ts";
import { awsCredentials, callOptions } from "../../src/platform/aws.ts";

afterEach(() => vi.unstubAllEnvs());

/** The server that gives a container its credentials. `isSilent`: it takes the request, and says nothing. */
async function startAgent(stack: AsyncDisposableStack) {
  const agent = { asked: 0, isSilent: false };
  const server = createServer((_req, res) => {
    agent.asked += 1;
    if (agent.isSilent) return;
    const Expiration = new Date(Date.now() + 3_600_000).toISOString();
    res.setHeader("Content-Type", "application/json");
    res.end(JSON.stringify({ AccessKeyId: "id", SecretAccessKey: "s", Token: "t", Expiration }));
  }).listen(0, "127.0.0.1");
  stack.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
  vi.stubEnv("AWS_CONFIG_FILE", "/dev/null");
  vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", `http://127.0.0.1:${port}/`);
  return agent;
}

test("credentials that nobody gives are waited for some seconds, and asked for again", async () => {
  await using stack = new AsyncDisposableStack();
  const agent = await startAgent(stack);
  agent.isSilent = true;
  const provide = awsCredentials({ AWS_REGION: "us-east-1" });
  await expect(provide()).rejects.toThrow("no credentials in time");
  agent.isSilent = false;
  expect(await provide()).toMatchObject({ accessKeyId: "id" });
});

test("all clients of a process ask for credentials once", async () => {
  await using stack = new AsyncDisposableStack();
  const agent = await startAgent(stack);
  // As a process that has none yet.
  vi.resetModules();
  const { awsCredentials: provider } = await import("../../src/platform/aws.ts");
  const settings = { AWS_REGION: "us-east-1" };
  const clients = [provider(settings), provider(settings)];
  const credentials = await Promise.all(clients.map((provide) => provide()));

  expect(credentials.map(({ accessKeyId }) => accessKeyId)).toEqual(["id", "id"]);
  expect(agent.asked).toBe(1);
});

describe("the signal of a call", () => {
  test("ends with the caller's request", () => {
    const request = new AbortController();
    const { abortSignal } = callOptions(request.signal);
    request.abort();
    expect(abortSignal.aborted).toBe(true);
  });

  test("ends at the deadline", async () => {
    const { abortSignal } = callOptions(undefined, 1);
    await expect.poll(() => abortSignal.aborted).toBe(true);
  });
});

describe("a call that failed", () => {
  test.each([
    ["because it was throttled", { name: "ThrottlingException" }, "OVERLOADED", 503],
    ["with a 429", { $metadata: { httpStatusCode: 429 } }, "OVERLOADED", 503],
    ["with a 503", { $metadata: { httpStatusCode: 503 } }, "OVERLOADED", 503],
    ["without an answer", { name: "TimeoutError" }, "EXTERNAL_SERVICE_ERROR", 502],
    ["with a 500", { $metadata: { httpStatusCode: 500 } }, "EXTERNAL_SERVICE_ERROR", 502],
  ])("%s gives nothing away", (_name, shape, code, status) => {
    const cause = Object.assign(new Error("arn:aws:secret"), shape);
    const failure = awsFailure(cause);
    expect(failure).toMatchObject({ code, status, cause });
    expect(failure.message).not.toContain("arn");
  });

  test("because it was throttled says when to come back", () => {
    expect(awsFailure({ name: "SlowDown" }).headers["Retry-After"]).toMatch(/^[1-3]$/);
  });
});
