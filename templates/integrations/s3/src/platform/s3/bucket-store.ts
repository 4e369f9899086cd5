import { createHash, randomUUID } from "node:crypto";
import { awsErrorName, awsFailure } from "../aws-errors.ts";
import { within } from "../aws.ts";
import { AppError } from "../errors.ts";
import type { Logger } from "../logging.ts";
import type { Bucket } from "./bucket.ts";
import { BufferPool } from "./buffer-pool.ts";
import type { Content, ContentBody, ContentStore, PresignedUrl } from "./content-store.ts";
import { MultipartUpload } from "./multipart.ts";
import { type Part, PART_BYTES, partsOf } from "./parts.ts";

/** Of a process: together they may hold 160 MiB. */
const UPLOADS_AT_ONCE = 32;
const PUT_TIMEOUT_MS = 10_000;
const COPY_TIMEOUT_MS = 60_000;
const CONFLICT_TRIES = 3;

/** What is known of a body once it was read. */
interface Digest {
  sha256: Buffer;
  bytes: number;
}

/**
 * Keeps bytes in a bucket. A body of one part is put under its hash at once. A larger one is uploaded under a name of
 * its own, since its hash is known only at its end, and copied inside S3; bodies above 5 GiB cannot be copied so.
 */
export class BucketStore implements ContentStore {
  readonly #bucket: Bucket;
  readonly #log: Logger;
  readonly #pool = new BufferPool(PART_BYTES, UPLOADS_AT_ONCE);

  constructor(bucket: Bucket, log: Logger) {
    this.#bucket = bucket;
    this.#log = log;
  }

  async put(body: ContentBody, signal?: AbortSignal): Promise<Content> {
    const hash = createHash("sha256");
    let bytes = 0;
    const digest = (): Digest => ({ sha256: hash.digest(), bytes });
    async function* hashed(): AsyncGenerator<Buffer> {
      for await (const chunk of body) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    }
    using loan = this.#pool.lend();
    const parts = partsOf(hashed(), loan.buffer);
    try {
      const first = await parts.next();
      if (first.done === true) throw new AppError("VALIDATION_ERROR", "The body is empty");
      return first.value.last
        ? await this.#putSmall(first.value.bytes, body.contentType, digest())
        : await this.#putLarge(chain(first.value, parts), body.contentType, digest, signal);
    } finally {
      await parts.return(undefined);
    }
  }

  async presign(sha256: string, signal?: AbortSignal): Promise<PresignedUrl | undefined> {
    return (await this.#has(sha256, signal)) ? this.#bucket.presign(sha256) : undefined;
  }

  async #putSmall(part: Buffer, type: string, { sha256, bytes }: Digest): Promise<Content> {
    const key = sha256.toString("hex");
    if (await this.#has(key)) return { sha256: key, bytes, created: false };
    const input = {
      Bucket: this.#bucket.name,
      Key: key,
      Body: part,
      ContentType: type,
      ChecksumSHA256: sha256.toString("base64"),
      IfNoneMatch: "*",
    };
    try {
      const put = () => this.#bucket.s3.putObject(input, within(undefined, PUT_TIMEOUT_MS));
      return { sha256: key, bytes, created: await unlessThere(put) };
    } catch (error) {
      // S3 may refuse before it has read all, and its refusal get lost with the connection.
      if (!(await this.#has(key))) throw error;
      return { sha256: key, bytes, created: false };
    }
  }

  async #putLarge(
    parts: AsyncIterable<Part>,
    type: string,
    digest: () => Digest,
    signal: AbortSignal | undefined,
  ): Promise<Content> {
    const key = `uploads/${randomUUID()}`;
    const upload = await MultipartUpload.begin(this.#bucket, key, type);
    const stage = { completing: false, completed: false };
    try {
      await upload.send(parts, signal);
      const { sha256, bytes } = digest();
      const content = { sha256: sha256.toString("hex"), bytes };
      if (await this.#has(content.sha256)) return { ...content, created: false };
      stage.completing = true;
      await upload.complete();
      stage.completed = true;
      return { ...content, created: await this.#copy(key, sha256) };
    } finally {
      await this.#clean(upload, stage);
    }
  }

  /** Gives an upload its name. @returns false when it is there already. */
  async #copy(from: string, sha256: Buffer): Promise<boolean> {
    const Bucket = this.#bucket.name;
    const Key = sha256.toString("hex");
    let checksum: string | undefined;
    const created = await unlessThere(async () => {
      const { CopyObjectResult } = await this.#bucket.s3.copyObject(
        {
          Bucket,
          Key,
          CopySource: `${Bucket}/${from}`,
          ChecksumAlgorithm: "SHA256",
          IfNoneMatch: "*",
        },
        within(undefined, COPY_TIMEOUT_MS),
      );
      checksum = CopyObjectResult?.ChecksumSHA256;
    });
    if (checksum === undefined || checksum === sha256.toString("base64")) return created;
    await this.#bucket.s3.deleteObject({ Bucket, Key }, within());
    throw new Error(`S3 has stored other bytes than ${Key}: ${checksum}`);
  }

  async #has(key: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#bucket.s3.headObject({ Bucket: this.#bucket.name, Key: key }, within(signal));
      return true;
    } catch (error) {
      if (awsErrorName(error) === "NotFound") return false;
      throw awsFailure(error);
    }
  }

  /** Removes what an upload has left under its own name; what it was for is done or has failed by now. */
  async #clean(
    upload: MultipartUpload,
    { completing, completed }: { completing: boolean; completed: boolean },
  ): Promise<void> {
    const object = { Bucket: this.#bucket.name, Key: upload.key };
    const leftBehind = (error: unknown): void =>
      this.#log.warn({ error, key: upload.key }, "an upload is left for the bucket's lifecycle");
    if (!completed) await upload.abort().catch(leftBehind);
    // A completion that failed may have been done all the same.
    if (completing) await this.#bucket.s3.deleteObject(object, within()).catch(leftBehind);
  }
}

/** Stores something under a name that nothing has yet. @returns false when something has it. */
async function unlessThere(store: () => Promise<unknown>): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    try {
      await store();
      return true;
    } catch (error) {
      const name = awsErrorName(error);
      if (name === "PreconditionFailed") return false;
      // Somebody is storing the same right now.
      if (name !== "ConditionalRequestConflict" || tries === CONFLICT_TRIES)
        throw awsFailure(error);
    }
  }
}

async function* chain(first: Part, rest: AsyncIterable<Part>): AsyncGenerator<Part> {
  yield first;
  yield* rest;
}
