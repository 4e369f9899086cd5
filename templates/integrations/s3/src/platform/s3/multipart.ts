import type { CompletedPart } from "@aws-sdk/client-s3";
import { awsErrorName, throwFailure } from "../aws-errors.ts";
import { within } from "../aws.ts";
import type { Bucket } from "./bucket.ts";

const PART_TIMEOUT_MS = 30_000;
const COMPLETE_TIMEOUT_MS = 60_000;

/** An upload in parts, of which nothing stays unless it is completed. */
export class MultipartUpload {
  readonly key: string;
  readonly #bucket: Bucket;
  readonly #id: string;
  readonly #parts: CompletedPart[] = [];

  private constructor(bucket: Bucket, key: string, id: string) {
    this.#bucket = bucket;
    this.key = key;
    this.#id = id;
  }

  /** It ends with no request: an upload that was begun and whose id got lost could not be aborted. */
  static async begin(bucket: Bucket, key: string, contentType: string): Promise<MultipartUpload> {
    const input = {
      Bucket: bucket.name,
      Key: key,
      ContentType: contentType,
      ChecksumAlgorithm: "CRC32",
    } as const;
    const { UploadId } = await bucket.s3.createMultipartUpload(input, within()).catch(throwFailure);
    return new MultipartUpload(bucket, key, UploadId!);
  }

  /** Uploads one part while the next one is read. S3 checks what arrives against the checksum that the SDK makes. */
  async send(parts: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void> {
    let sending = Promise.resolve();
    try {
      for await (const part of parts) {
        await sending;
        sending = this.#sendPart(part, signal);
        // It is waited for above; until then a failure is nobody's surprise.
        sending.catch(() => {});
      }
    } finally {
      // A part under way could arrive after the abort.
      await Promise.allSettled([sending]);
    }
    await sending;
  }

  async complete(): Promise<void> {
    try {
      await this.#bucket.s3.completeMultipartUpload(
        { ...this.#upload, MultipartUpload: { Parts: this.#parts } },
        within(undefined, COMPLETE_TIMEOUT_MS),
      );
    } catch (error) {
      // A try before this one has completed it, and only the answer got lost.
      if (awsErrorName(error) !== "NoSuchUpload") throwFailure(error);
    }
  }

  async abort(): Promise<void> {
    try {
      await this.#bucket.s3.abortMultipartUpload(this.#upload, within());
    } catch (error) {
      if (awsErrorName(error) !== "NoSuchUpload") throw error;
    }
  }

  get #upload() {
    return { Bucket: this.#bucket.name, Key: this.key, UploadId: this.#id };
  }

  async #sendPart(part: Buffer, signal: AbortSignal | undefined): Promise<void> {
    const PartNumber = this.#parts.length + 1;
    const sent: CompletedPart = { PartNumber };
    this.#parts.push(sent);
    const input = { ...this.#upload, PartNumber, Body: part, ChecksumAlgorithm: "CRC32" } as const;
    const { ETag, ChecksumCRC32 } = await this.#bucket.s3
      .uploadPart(input, within(signal, PART_TIMEOUT_MS))
      .catch(throwFailure);
    Object.assign(sent, { ETag, ChecksumCRC32 });
  }
}
