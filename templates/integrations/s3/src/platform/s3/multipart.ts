import type { CompletedPart } from "@aws-sdk/client-s3";
import { awsErrorName, throwFailure } from "../aws-errors.ts";
import { within } from "../aws.ts";
import type { Bucket } from "./bucket.ts";
import type { Part } from "./parts.ts";

const PART_TIMEOUT_MS = 10_000;
const COMPLETE_TIMEOUT_MS = 30_000;

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

  /** Uploads the parts one by one. S3 checks each against the checksum that the SDK makes. */
  async send(parts: AsyncIterable<Part>, signal?: AbortSignal): Promise<void> {
    for await (const { bytes } of parts) {
      const PartNumber = this.#parts.length + 1;
      const input = {
        ...this.#upload,
        PartNumber,
        Body: bytes,
        ChecksumAlgorithm: "CRC32",
      } as const;
      const { ETag, ChecksumCRC32 } = await this.#bucket.s3
        .uploadPart(input, within(signal, PART_TIMEOUT_MS))
        .catch(throwFailure);
      this.#parts.push({ PartNumber, ETag, ChecksumCRC32 });
    }
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
}
