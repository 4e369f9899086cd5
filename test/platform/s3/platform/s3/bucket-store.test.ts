import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { BucketStore, PART_BYTES } from "../../../src/platform/s3/bucket-store.ts";
import type { ContentBody } from "../../../src/platform/s3/content-store.ts";
import { awsError, FakeBucket } from "./fake-bucket.ts";

const log = pino({ level: "silent" });
const large = randomBytes(2 * PART_BYTES + 1);

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += 1_048_576)
    yield bytes.subarray(start, start + 1_048_576);
}

function body(bytes: Buffer): ContentBody {
  return Object.assign(chunksOf(bytes), { contentType: "image/png" });
}

/** A store on a bucket where `operation` throws what `errors` has for its first calls. */
function failing(operation: string, ...errors: Error[]) {
  const bucket = new FakeBucket();
  bucket.onCall = (called) => {
    const error = called === operation ? errors.shift() : undefined;
    if (error !== undefined) throw error;
  };
  return { bucket, store: new BucketStore(bucket, log) };
}

test("a large body goes in parts, gets its name, and leaves no other", async () => {
  const { bucket, store } = failing("");
  const { sha256 } = await store.put(body(large));
  expect(bucket.calls).toEqual([
    "createMultipartUpload",
    "uploadPart",
    "uploadPart",
    "uploadPart",
    "completeMultipartUpload",
    "headObject",
    "copyObject",
    "deleteObject",
  ]);
  expect(bucket.objects.get(sha256)?.equals(large)).toBe(true);
});

test("a large body that exists already is not copied", async () => {
  const { bucket, store } = failing("");
  await store.put(body(large));
  bucket.calls.length = 0;
  expect(await store.put(body(large))).toMatchObject({ created: false });
  expect(bucket.calls.slice(-2)).toEqual(["headObject", "deleteObject"]);
});

test("no more is read than S3 has taken, apart from a few chunks", async () => {
  const bucket = new FakeBucket();
  const gate = Promise.withResolvers<void>();
  bucket.onCall = (operation) => (operation === "uploadPart" ? gate.promise : undefined);
  let read = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of chunksOf(randomBytes(8 * PART_BYTES))) {
      read += chunk.length;
      yield chunk;
    }
  }
  const put = new BucketStore(bucket, log).put(
    Object.assign(counted(), { contentType: "image/png" }),
  );
  await expect.poll(() => bucket.calls).toContain("uploadPart");
  await new Promise((resolve) => void setImmediate(resolve));
  expect(read).toBeLessThanOrEqual(PART_BYTES + 4 * 1_048_576);
  gate.resolve();
  expect(await put).toMatchObject({ bytes: 8 * PART_BYTES });
});

test("only so many are taken at once, and the next one is told to wait", async () => {
  const bucket = new FakeBucket();
  const gate = Promise.withResolvers<void>();
  bucket.onCall = () => gate.promise;
  const store = new BucketStore(bucket, log);
  const uploads = Array.from({ length: 32 }, () => store.put(body(Buffer.from("x"))));
  await expect(store.put(body(Buffer.from("y")))).rejects.toMatchObject({
    code: "OVERLOADED",
    headers: { "Retry-After": "1" },
  });
  gate.resolve();
  await Promise.all(uploads);
  expect(await store.put(body(Buffer.from("y")))).toMatchObject({ created: true });
});

test("whoever sends headers alone takes nobody's place", async () => {
  const store = new BucketStore(new FakeBucket(), log);
  const end = Promise.withResolvers<void>();
  async function* silent(): AsyncGenerator<Buffer> {
    yield* await end.promise.then((): Buffer[] => []);
  }
  const waiting = Array.from({ length: 40 }, () =>
    store.put(Object.assign(silent(), { contentType: "image/png" })),
  );
  expect(await store.put(body(Buffer.from("x")))).toMatchObject({ created: true });
  end.resolve();
  for (const { status } of await Promise.allSettled(waiting)) expect(status).toBe("rejected");
});

test("chunks of a byte do not hold on to what they came in", async () => {
  const SIZE = 100_000;
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  async function* tiny(): AsyncGenerator<Buffer> {
    for (let count = 0; count < SIZE; count += 1) {
      yield Buffer.alloc(5_000, count).subarray(0, 1);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
  }
  const { bucket, store } = failing("");
  const { sha256 } = await store.put(Object.assign(tiny(), { contentType: "image/png" }));
  expect(bucket.objects.get(sha256)).toHaveLength(SIZE);
  // All of them are 500 MB, and the garbage collector comes by now and then.
  expect(most).toBeLessThan(200_000_000);
});

test("chunks of all sizes arrive in their order", async () => {
  const { bucket, store } = failing("");
  async function* mixed(): AsyncGenerator<Buffer> {
    const sizes = [1, 70_000, 3, 65_536, 32_768, 32_767, 40_000, 2];
    for (let start = 0, at = 0; start < large.length; at += 1) {
      yield large.subarray(start, (start += sizes[at % sizes.length]!));
    }
  }
  const { sha256 } = await store.put(Object.assign(mixed(), { contentType: "image/png" }));
  expect(bucket.objects.get(sha256)?.equals(large)).toBe(true);
});

describe("when S3 fails", () => {
  test.each(["uploadPart", "headObject", "completeMultipartUpload", "copyObject"])(
    "at %s, nothing of the upload stays",
    async (operation) => {
      const { bucket, store } = failing(operation, awsError("InternalError"));
      await expect(store.put(body(large))).rejects.toMatchObject({
        code: "EXTERNAL_SERVICE_ERROR",
      });
      expect([...bucket.objects.keys(), ...bucket.unfinished.keys()]).toEqual([]);
    },
  );

  test("by slowing down, the caller is told to wait", async () => {
    const { store } = failing("putObject", awsError("SlowDown"));
    await expect(store.put(body(Buffer.from("x")))).rejects.toMatchObject({ code: "OVERLOADED" });
  });

  test("by a conflict of two equal bodies, it is tried again", async () => {
    const { store } = failing("putObject", awsError("ConditionalRequestConflict"));
    expect(await store.put(body(Buffer.from("x")))).toMatchObject({ created: true });
  });

  test("to answer that the bytes are there, they are there all the same", async () => {
    const { bucket, store } = failing("");
    bucket.onCall = async (operation, { Key }) => {
      if (operation !== "putObject") return;
      bucket.objects.set(Key, Buffer.from("x"));
      throw awsError("TimeoutError");
    };
    expect(await store.put(body(Buffer.from("x")))).toMatchObject({ created: false });
  });

  test("to answer that it has completed, that is no failure", async () => {
    const { bucket, store } = failing("");
    bucket.onCall = (operation, { Key }) => {
      if (operation !== "completeMultipartUpload") return;
      bucket.objects.set(Key, Buffer.concat(bucket.unfinished.get(Key)!));
      bucket.unfinished.delete(Key);
    };
    expect(await store.put(body(large))).toMatchObject({ created: true });
  });

  test("to clean up, the upload counts all the same", async () => {
    const { store } = failing("deleteObject", awsError("InternalError"));
    expect(await store.put(body(large))).toMatchObject({ created: true });
  });
});

test("bytes that S3 stored otherwise are taken away again", async () => {
  const { bucket, store } = failing("");
  bucket.onCall = (operation, { CopySource }) => {
    if (operation === "copyObject")
      bucket.objects.set(String(CopySource).replace("images/", ""), Buffer.from("other"));
  };
  await expect(store.put(body(large))).rejects.toThrow("S3 has stored other bytes");
  expect(bucket.objects.size).toBe(0);
});
