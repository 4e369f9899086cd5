import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Registry } from "@prometheus-io/client";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BucketStore } from "../../../src/platform/s3/bucket-store.ts";
import { openBucket } from "../../../src/platform/s3/bucket.ts";

const settings = { ENVIRONMENT: "dev", SERVICE_NAME: "svc", AWS_REGION: "us-east-1" };

beforeEach(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "id");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
});
afterEach(() => vi.unstubAllEnvs());

test("a bucket that says slow down to a HEAD, which has no body, is busy", async () => {
  const server = createServer((_req, res) => void res.writeHead(503).end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const endpoint = { AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}` };
  const bucket = await openBucket({ ...settings, ...endpoint }, new Registry());
  const store = new BucketStore(bucket, pino({ level: "silent" }));
  await expect(store.presign("0".repeat(64))).rejects.toMatchObject({
    code: "OVERLOADED",
    headers: { "Retry-After": expect.stringMatching(/^[1-3]$/) },
  });
  bucket.close();
  server.close();
});

test("a URL is signed without a call", async () => {
  const metrics = new Registry();
  const bucket = await openBucket(settings, metrics);
  const { url } = await bucket.presign("key");
  expect(new URL(url).searchParams.get("X-Amz-Expires")).toBe("300");
  const { values } = await metrics.getSingleMetric("aws_client_call_duration_seconds")!.get();
  expect(values).toEqual([]);
  bucket.close();
});
