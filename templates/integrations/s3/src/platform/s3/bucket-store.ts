import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { awsErrorName, awsFailure, throwFailure } from "../aws-errors.ts";
import { callOptions } from "../aws.ts";
import { AppError } from "../errors.ts";
import type { Logger } from "../logging.ts";
import { backoff } from "../timing.ts";
import type { Bucket } from "./bucket.ts";
import type { Content, ContentBody, ContentStore, PresignedUrl } from "./content-store.ts";

/** The smallest part of an upload that S3 accepts, apart from the last one. */
export const PART_BYTES = 5_242_880;
/** Each holds two parts in memory at most. */
const MAX_UPLOADS = 32;
/** So much is gathered of smaller chunks, each of which would hold on to a buffer of its socket. */
const CHUNK_BYTES = 65_536;
const PUT_TIMEOUT_MS = 10_000;
const COPY_TIMEOUT_MS = 60_000;
const CONFLICT_TRIES = 3;

/**
 * Keeps bytes in a bucket. A body of one part is stored under its hash at once. The hash of a larger one is known only
 * at its end: it is uploaded under a temporary name and then copied inside S3, which works up to 5 GiB.
 */
export class BucketStore implements ContentStore {
  readonly #bucket: Bucket;
  readonly #log: Logger;
  #uploads = 0;

  constructor(bucket: Bucket, log: Logger) {
    this.#bucket = bucket;
    this.#log = log;
  }

  async put(body: ContentBody): Promise<Content> {
    const source = new HashedSource(body);
    let counted = 0;
    try {
      // A client that sends headers alone takes nobody's place.
      await source.readFirst();
      if (source.bytes === 0) throw new AppError("VALIDATION_ERROR", "The body is empty");
      if (this.#uploads === MAX_UPLOADS) {
        throw new AppError("OVERLOADED", "Too many uploads at once", {
          headers: { "Retry-After": "1" },
        });
      }
      this.#uploads += counted = 1;
      const start = await source.readPart();
      return source.ended
        ? await this.#putSmall(Buffer.concat(start), body.contentType, source)
        : await this.#putLarge(Readable.from(source.all(start)), body.contentType, source);
    } catch (error) {
      throw source.failure ?? error;
    } finally {
      this.#uploads -= counted;
      await source.close();
    }
  }

  async presign(sha256: string, signal?: AbortSignal): Promise<PresignedUrl | undefined> {
    if (await this.#has(sha256, signal)) return this.#bucket.presign(sha256);
    // The answer is the same when the whole bucket is missing, which is not the caller's mistake.
    await this.#bucket.check().catch(throwFailure);
    return undefined;
  }

  async #putSmall(bytes: Buffer, type: string, source: HashedSource): Promise<Content> {
    const digest = source.digest();
    const key = digest.toString("hex");
    const content = { sha256: key, bytes: bytes.length };
    if (await this.#has(key)) return { ...content, created: false };
    const input = {
      Bucket: this.#bucket.name,
      Key: key,
      Body: bytes,
      ContentType: type,
      ChecksumSHA256: digest.toString("base64"),
      IfNoneMatch: "*",
      ...this.#bucket.encryption,
    };
    const options = callOptions(undefined, PUT_TIMEOUT_MS);
    try {
      const created = await createUnlessExists(() => this.#bucket.s3.putObject(input, options));
      return { ...content, created };
    } catch (error) {
      // S3 may refuse before it has read everything, and its answer may get lost with the connection.
      if (!(await this.#has(key))) throw error;
      return { ...content, created: false };
    }
  }

  async #putLarge(stream: Readable, type: string, source: HashedSource): Promise<Content> {
    const key = `uploads/${randomUUID()}`;
    await this.#upload(stream, key, type);
    const digest = source.digest();
    const content = { sha256: digest.toString("hex"), bytes: source.bytes };
    try {
      if (await this.#has(content.sha256)) return { ...content, created: false };
      return { ...content, created: await this.#copy(key, digest) };
    } finally {
      await this.#removeTemporary(key);
    }
  }

  /** Uploads in parts, one after the other. S3 checks each against the checksum that the SDK computes. */
  async #upload(stream: Readable, key: string, type: string): Promise<void> {
    const { Upload } = await import("@aws-sdk/lib-storage");
    const upload = new Upload({
      client: this.#bucket.uploads,
      params: {
        Bucket: this.#bucket.name,
        Key: key,
        Body: stream,
        ContentType: type,
        ChecksumAlgorithm: "CRC32",
        ...this.#bucket.encryption,
      },
      partSize: PART_BYTES,
      queueSize: 1,
    });
    try {
      await upload.done();
    } catch (error) {
      // An earlier try of the last request has completed it, and only its answer got lost.
      if (awsErrorName(error) === "NoSuchUpload") return;
      // It may have been completed although the last request failed.
      await this.#removeTemporary(key);
      throw awsFailure(error);
    } finally {
      stream.destroy();
    }
  }

  /** Stores an upload under its hash. @returns false when that exists already. */
  async #copy(from: string, digest: Buffer): Promise<boolean> {
    const Bucket = this.#bucket.name;
    const Key = digest.toString("hex");
    const input = {
      Bucket,
      Key,
      CopySource: `${Bucket}/${from}`,
      ChecksumAlgorithm: "SHA256" as const,
      IfNoneMatch: "*",
      ...this.#bucket.encryption,
    };
    let checksum: string | undefined;
    const created = await createUnlessExists(async () => {
      const options = callOptions(undefined, COPY_TIMEOUT_MS);
      const { CopyObjectResult } = await this.#bucket.s3.copyObject(input, options);
      checksum = CopyObjectResult?.ChecksumSHA256;
    });
    if (checksum === undefined || checksum === digest.toString("base64")) return created;
    await this.#bucket.s3.deleteObject({ Bucket, Key }, callOptions());
    throw new Error(`S3 has stored other bytes than ${Key}: ${checksum}`);
  }

  async #has(key: string, signal?: AbortSignal): Promise<boolean> {
    const object = { Bucket: this.#bucket.name, Key: key };
    try {
      await this.#bucket.s3.headObject(object, callOptions(signal));
      return true;
    } catch (error) {
      if (awsErrorName(error) === "NotFound") return false;
      throw awsFailure(error);
    }
  }

  async #removeTemporary(key: string): Promise<void> {
    try {
      await this.#bucket.s3.deleteObject({ Bucket: this.#bucket.name, Key: key }, callOptions());
    } catch (error) {
      this.#log.warn({ error, key }, "a temporary upload is left for the bucket's lifecycle rule");
    }
  }
}

/** Reads a body once, and counts and hashes its bytes on the way. */
class HashedSource {
  bytes = 0;
  ended = false;
  /** What the body broke off with, which is not a failure of S3. */
  failure: unknown;
  readonly #hash = createHash("sha256");
  readonly #chunks: AsyncIterator<Buffer>;
  /** A chunk that was read, and not given out. */
  #waiting: Buffer | undefined;

  constructor(body: AsyncIterable<Buffer>) {
    this.#chunks = body[Symbol.asyncIterator]();
  }

  /** Waits for the first bytes. */
  async readFirst(): Promise<void> {
    this.#waiting = await this.#read();
  }

  /** Chunks of one part, or a little more; all there are when the body ends before. */
  async readPart(): Promise<Buffer[]> {
    const chunks: Buffer[] = [];
    while (this.bytes <= PART_BYTES) {
      const chunk = await this.#next();
      if (chunk === undefined) break;
      chunks.push(chunk);
    }
    return chunks;
  }

  async *all(start: Buffer[]): AsyncGenerator<Buffer> {
    // Not `yield* start`: what has been handed over can be freed.
    while (start.length > 0) yield start.shift()!;
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) {
      yield chunk;
    }
  }

  digest(): Buffer {
    return this.#hash.digest();
  }

  /** Tells the body that nothing more is read of it. */
  async close(): Promise<void> {
    if (!this.ended) await this.#chunks.return?.();
  }

  async #next(): Promise<Buffer | undefined> {
    let gathered: Buffer | undefined;
    let length = 0;
    for (;;) {
      const chunk = this.#waiting ?? (await this.#read());
      this.#waiting = undefined;
      if (chunk === undefined) return gathered?.subarray(0, length);
      if (gathered === undefined && chunk.length >= CHUNK_BYTES / 2) return chunk;
      gathered ??= Buffer.allocUnsafe(CHUNK_BYTES);
      if (length + chunk.length > CHUNK_BYTES) {
        this.#waiting = chunk;
        return gathered.subarray(0, length);
      }
      length += chunk.copy(gathered, length);
    }
  }

  async #read(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      if (done === true) {
        this.ended = true;
        return undefined;
      }
      this.#hash.update(value);
      this.bytes += value.length;
      return value;
    } catch (error) {
      this.ended = true;
      this.failure = error;
      throw error;
    }
  }
}

/** Creates an object with a condition that it is new. @returns false when it exists already. */
async function createUnlessExists(create: () => Promise<unknown>): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await create();
      return true;
    } catch (error) {
      const name = awsErrorName(error);
      if (name === "PreconditionFailed") return false;
      // Another request is storing the same object right now.
      if (name !== "ConditionalRequestConflict" || attempt === CONFLICT_TRIES)
        throw awsFailure(error);
      await delay(backoff(attempt, { firstMs: 50 }));
    }
  }
}
