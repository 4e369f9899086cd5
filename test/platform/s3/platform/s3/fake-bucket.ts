import { createHash } from "node:crypto";
import type { S3 } from "@aws-sdk/client-s3";
import type { Bucket } from "../../../src/platform/s3/bucket.ts";

type Input = Record<string, unknown> & { Key: string };

/** A bucket in memory with as much of S3 as the store asks for. */
export class FakeBucket implements Bucket {
  readonly name = "images";
  readonly s3: S3;
  readonly uploads: S3;
  readonly encryption = {};
  readonly objects = new Map<string, Buffer>();
  readonly unfinished = new Map<string, Buffer[]>();
  /** The operations so far. */
  readonly calls: string[] = [];
  /** What an operation does instead, when it throws. */
  onCall: (operation: string, input: Input) => void | Promise<void> = () => {};

  constructor() {
    this.s3 = new Proxy({} as S3, {
      get: (_target, operation: string) => (input: Input) => this.#call(operation, input),
    });
    // As much of a client as the SDK's Upload uses.
    this.uploads = {
      config: { requestChecksumCalculation: async () => "WHEN_SUPPORTED", requestHandler: {} },
      send: ({ constructor, input }: { constructor: { name: string }; input: Input }) =>
        this.#call(operationOf(constructor.name), input),
    } as unknown as S3;
  }

  async presign(key: string) {
    return { url: `https://images.example/${key}`, expiresAt: new Date().toISOString() };
  }

  async check(): Promise<void> {}
  close(): void {}

  async #call(operation: string, input: Input): Promise<unknown> {
    this.calls.push(operation);
    await this.onCall(operation, input);
    return this.#operations[operation]!(input);
  }

  readonly #operations: Record<string, (input: Input) => unknown> = {
    putObject: ({ Key, Body, ChecksumSHA256 }) => {
      if (hashOf(Body as Buffer) !== ChecksumSHA256) throw awsError("BadDigest");
      this.#keep(Key, Buffer.from(Body as Buffer));
    },
    headObject: ({ Key }) => {
      if (!this.objects.has(Key)) throw awsError("NotFound");
    },
    deleteObject: ({ Key }) => void this.objects.delete(Key),
    copyObject: ({ Key, CopySource }) => {
      const bytes = this.objects.get(String(CopySource).replace("images/", ""));
      if (bytes === undefined) throw awsError("NoSuchKey");
      this.#keep(Key, bytes);
      return { CopyObjectResult: { ChecksumSHA256: hashOf(bytes) } };
    },
    createMultipartUpload: ({ Key }) => {
      this.unfinished.set(Key, []);
      return { UploadId: Key };
    },
    uploadPart: ({ UploadId, PartNumber, Body }) => {
      this.unfinished.get(String(UploadId))![Number(PartNumber) - 1] = Buffer.from(Body as Buffer);
      return { ETag: `part ${Number(PartNumber)}` };
    },
    completeMultipartUpload: ({ Key }) => {
      const parts = this.unfinished.get(Key);
      if (parts === undefined) throw awsError("NoSuchUpload");
      this.unfinished.delete(Key);
      this.objects.set(Key, Buffer.concat(parts));
    },
    abortMultipartUpload: ({ Key }) => void this.unfinished.delete(Key),
  };

  #keep(key: string, bytes: Buffer): void {
    if (this.objects.has(key)) throw awsError("PreconditionFailed");
    this.objects.set(key, bytes);
  }
}

/** `uploadPart` of an UploadPartCommand. */
function operationOf(command: string): string {
  return command.charAt(0).toLowerCase() + command.slice(1).replace(/Command$/, "");
}

/** An error as the SDK throws it. */
export function awsError(name: string): Error {
  return Object.assign(new Error(`S3 says ${name}`), { name });
}

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("base64");
}
