import { createHash, randomBytes, randomUUID } from "node:crypto";
import { Registry } from "@prometheus-io/client";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { BucketStore, PART_BYTES } from "../../../src/platform/s3/bucket-store.ts";
import { openBucket } from "../../../src/platform/s3/bucket.ts";
import type { ContentBody, ContentStore } from "../../../src/platform/s3/content-store.ts";
import { FakeBucket } from "./fake-bucket.ts";
import { MemoryStore } from "./memory-store.ts";

interface World {
  store: ContentStore;
  /** Keys of objects and of uploads that were begun. */
  left(): Promise<string[]>;
}

const log = pino({ level: "silent" });
const endpoint = process.env.AWS_ENDPOINT_URL_S3;

async function onTheServer(): Promise<World> {
  const Bucket = `test-${randomUUID()}`;
  const settings = { ENVIRONMENT: "dev", SERVICE_NAME: "svc", AWS_REGION: "us-east-1" };
  const bucket = await openBucket(
    { ...settings, S3_BUCKET: Bucket, AWS_ENDPOINT_URL_S3: endpoint },
    new Registry(),
  );
  await bucket.s3.createBucket({ Bucket });
  return {
    store: new BucketStore(bucket, log),
    async left() {
      const { Contents = [] } = await bucket.s3.listObjectsV2({ Bucket });
      const { Uploads = [] } = await bucket.s3.listMultipartUploads({ Bucket });
      return [...Contents, ...Uploads].map(({ Key }) => Key!);
    },
  };
}

async function onAFake(): Promise<World> {
  const bucket = new FakeBucket();
  const store = new BucketStore(bucket, log);
  return { store, left: async () => [...bucket.objects.keys(), ...bucket.unfinished.keys()] };
}

async function inMemory(): Promise<World> {
  const store = new MemoryStore();
  return { store, left: () => store.keys() };
}

function body(bytes: Buffer, breakOff?: Error): ContentBody {
  return {
    contentType: "image/png",
    async *[Symbol.asyncIterator]() {
      for (let start = 0; start < bytes.length; start += 65_536)
        yield bytes.subarray(start, start + 65_536);
      if (breakOff !== undefined) throw breakOff;
    },
  };
}

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const SIZES = [
  ["a small body", 1_000],
  ["a body of exactly one part", PART_BYTES],
  ["a body of one byte more", PART_BYTES + 1],
  ["a body of several parts", 3 * PART_BYTES + 7],
] as const;

// The fake is only as good as its likeness: with AWS_ENDPOINT_URL_S3 set, all are held to the same.
describe.each([
  ["the fake of the store", true, inMemory],
  ["the store on a fake of S3", true, onAFake],
  ["the store on S3", endpoint !== undefined, onTheServer],
] as const)("%s", (_name, there, open) => {
  describe.runIf(there)("as a store", () => {
    test.each(SIZES)("keeps %s under its hash, once", async (_size, length) => {
      const { store, left } = await open();
      const bytes = randomBytes(length);
      const content = { sha256: hashOf(bytes), bytes: length };
      expect(await store.put(body(bytes))).toEqual({ ...content, created: true });
      expect(await store.put(body(bytes))).toEqual({ ...content, created: false });
      expect(await left()).toEqual([content.sha256]);
    });

    test.each(SIZES)("keeps nothing of %s that breaks off", async (_size, length) => {
      const { store, left } = await open();
      const gone = new Error("the client went away");
      await expect(store.put(body(randomBytes(length), gone))).rejects.toThrow(gone);
      expect(await left()).toEqual([]);
    });

    test("keeps one of equal bodies that race", async () => {
      const { store, left } = await open();
      const bytes = randomBytes(1_000);
      const racing = Array.from({ length: 20 }, () => store.put(body(bytes)));
      const created = (await Promise.all(racing)).filter((content) => content.created);
      expect(created).toHaveLength(1);
      expect(await left()).toEqual([hashOf(bytes)]);
    });

    test("gives out URLs for what is there", async () => {
      const { store } = await open();
      const { sha256 } = await store.put(body(Buffer.from("hello")));
      const presigned = await store.presign(sha256);
      expect(Date.parse(presigned!.expiresAt)).not.toBeNaN();
      expect(await store.presign(hashOf(Buffer.from("other")))).toBeUndefined();
    });

    test("refuses nothing at all", async () => {
      const { store } = await open();
      await expect(store.put(body(Buffer.alloc(0)))).rejects.toMatchObject({
        code: "VALIDATION_ERROR",
      });
    });
  });
});

describe.runIf(endpoint !== undefined)("a URL from S3", () => {
  test("serves the bytes with their type, and no others", async () => {
    const { store } = await onTheServer();
    const bytes = randomBytes(PART_BYTES + 1);
    const { sha256 } = await store.put(body(bytes));
    const { url } = (await store.presign(sha256))!;
    const response = await fetch(url);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/png"]);
    expect(hashOf(Buffer.from(await response.arrayBuffer()))).toBe(sha256);
    // 404 where signatures are not checked.
    const other = await fetch(url.replace(sha256, hashOf(bytes.subarray(1))));
    expect([403, 404]).toContain(other.status);
  });
});
