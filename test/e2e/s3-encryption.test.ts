import { randomBytes } from "node:crypto";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { CREDENTIALS } from "../stack/credentials.ts";
import { startMoto } from "./moto.ts";
import { startService } from "./service/run.ts";

const KEY = "arn:aws:kms:us-east-1:123456789012:key/0af76519-16cd-43dd-8448-eb211c80319c";

const stack = new AsyncDisposableStack();
let endpoint: string;
beforeAll(async () => {
  endpoint = await startMoto(stack);
});
afterAll(() => stack.disposeAsync());

describe.each(Object.entries(inject("services")))("%s: S3_KMS_KEY", (_name, directory) => {
  it.each([
    ["a small object", 1_000],
    ["one that is uploaded in parts", 12_000_000],
  ])("encrypts %s", async (_title, bytes) => {
    const env = {
      ...{ ENVIRONMENT: "dev", AWS_ENDPOINT_URL: endpoint, S3_KMS_KEY: KEY },
      ...CREDENTIALS,
    };
    await execa(process.execPath, [join("dist", "s3-create-bucket.js")], { cwd: directory, env });
    await using service = await startService(directory, env);
    const put = await fetch(`${service.url}/api/v1/images`, {
      method: "PUT",
      headers: { "content-type": "image/png" },
      body: randomBytes(bytes),
    });
    expect(put.status).toBe(201);
    const { sha256 } = (await put.json()) as { sha256: string };
    const found = await fetch(`${service.url}/api/v1/images/${sha256}`);
    const { url } = (await found.json()) as { url: string };
    const object = await fetch(url);
    expect(object.headers.get("x-amz-server-side-encryption")).toBe("aws:kms");
    expect(object.headers.get("x-amz-server-side-encryption-aws-kms-key-id")).toBe(KEY);
    expect((await object.arrayBuffer()).byteLength).toBe(bytes);
  });
});
