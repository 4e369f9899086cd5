import { Registry } from "@prometheus-io/client";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createDeps } from "../../src/deps.ts";
import type { HttpClient } from "../../src/platform/http-client.ts";
import { openLifespan } from "../../src/platform/lifespan.ts";
import { createLogger } from "../../src/platform/logging.ts";
import { defineRoute } from "../../src/platform/route.ts";
import { loadSettings } from "../../src/settings.ts";
import { createTestApp } from "../support.ts";

const settings = loadSettings({});
const log = createLogger(settings, { write: () => {} });
const metrics = new Registry();

function recorder() {
  const calls: string[] = [];
  const part = (name: string) =>
    [
      name,
      () => {
        calls.push(`open ${name}`);
        return name;
      },
      () => void calls.push(`close ${name}`),
    ] as const;
  return { calls, part };
}

test("opens in order and closes in reverse", async () => {
  const { calls, part } = recorder();
  const lifespan = await openLifespan({}, async ({ open }) => ({
    kafka: await open(...part("kafka")),
    dynamodb: await open(...part("dynamodb")),
  }));
  expect(lifespan.deps).toEqual({ kafka: "kafka", dynamodb: "dynamodb" });
  await lifespan[Symbol.asyncDispose]();
  expect(calls).toEqual(["open kafka", "open dynamodb", "close dynamodb", "close kafka"]);
});

test("closes what was opened when a later step fails, and says why", async () => {
  const { calls, part } = recorder();
  const opening = openLifespan({}, async ({ open }) => ({
    kafka: await open(...part("kafka")),
    dynamodb: await open(...part("dynamodb")),
    s3: await open("s3", () => Promise.reject(new Error("no bucket"))),
  }));
  await expect(opening).rejects.toThrow("no bucket");
  expect(calls).toEqual(["open kafka", "open dynamodb", "close dynamodb", "close kafka"]);
});

test("closes the others when one cannot be closed", async () => {
  const { calls, part } = recorder();
  const lifespan = await openLifespan({}, async ({ open }) => ({
    kafka: await open(...part("kafka")),
    s3: await open(
      "s3",
      () => "s3",
      () => Promise.reject(new Error("stuck")),
    ),
  }));
  await expect(lifespan[Symbol.asyncDispose]()).rejects.toThrow("stuck");
  expect(calls).toEqual(["open kafka", "close kafka"]);
});

test("an integration is a dependency under its name, with its check", async () => {
  const { calls } = recorder();
  const fake = {
    critical: true,
    open: () => ({ ping: () => "pong" }),
    check: async (client: { ping(): string }) => void calls.push(client.ping()),
    close: () => void calls.push("closed"),
  };
  const lifespan = await openLifespan({}, ({ openAll }) =>
    openAll({ fake }, settings, log, metrics),
  );
  expect(lifespan.deps.fake.ping()).toBe("pong");
  await lifespan.checks[0]!.check();
  await lifespan[Symbol.asyncDispose]();
  expect(lifespan.checks).toMatchObject([{ name: "fake", critical: true }]);
  expect(calls).toEqual(["pong", "closed"]);
});

test("an override is taken instead, and neither opened nor closed", async () => {
  const { calls, part } = recorder();
  const lifespan = await openLifespan({ kafka: "fake" }, async ({ open }) => ({
    kafka: await open(...part("kafka")),
  }));
  await lifespan[Symbol.asyncDispose]();
  expect(lifespan.deps).toEqual({ kafka: "fake" });
  expect(calls).toEqual([]);
});

test("a route gets the dependency that a test puts in its place", async () => {
  const http: HttpClient = { fetch: async () => Response.json({ rate: 2 }) };
  const route = defineRoute({
    method: "GET",
    path: "/rate",
    summary: "Get the rate",
    responses: { 200: z.object({ rate: z.number() }) },
    handler: async ({ deps }) => {
      const response = await deps.http.fetch("https://rates.example");
      return z.object({ rate: z.number() }).parse(await response.json());
    },
  });
  await using app = await createTestApp({ deps: { http }, routes: [route] });
  const response = await app.inject({ method: "GET", url: "/rate" });
  expect(response.json()).toEqual({ rate: 2 });
});

test("the service's own dependencies open and close", async () => {
  const lifespan = await createDeps(settings, log, metrics);
  expect(lifespan.deps).toMatchObject({ settings, log });
  await lifespan[Symbol.asyncDispose]();
});

describe("IN_MEMORY", () => {
  const inMemory = (IN_MEMORY: string[]) =>
    openLifespan<object>({}, async ({ openAll }) => {
      const check = async () => {};
      const real = { critical: true, open: () => "real", check, close() {} };
      const integrations = { kafka: { ...real, openInMemory: () => "in memory" }, mail: real };
      return openAll(integrations, { IN_MEMORY }, log, metrics);
    });

  test.each([
    [[], { kafka: "real", mail: "real" }],
    [["kafka"], { kafka: "in memory", mail: "real" }],
    [["all"], { kafka: "in memory", mail: "real" }],
  ])("%j", async (chosen, deps) => {
    await using lifespan = await inMemory(chosen);
    expect(lifespan.deps).toEqual(deps);
  });

  test("of what is not there, or cannot be, is refused", async () => {
    await expect(inMemory(["kafka", "mail", "kafak"])).rejects.toMatchObject({
      problems: ["IN_MEMORY: mail is none of all, kafka", "IN_MEMORY: kafak is none of all, kafka"],
    });
  });
});
