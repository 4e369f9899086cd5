import type { S3 } from "@aws-sdk/client-s3";
import type { Registry } from "@prometheus-io/client";
import { awsTelemetry } from "../aws-telemetry.ts";
import { awsClientConfig, callOptions } from "../aws.ts";

const CHECK_TIMEOUT_MS = 1_500;
const UPLOAD_TIMEOUT_MS = 30_000;
const URL_SECONDS = 300;
/** The server of compose/s3.yaml. Development reaches AWS itself only when its address is written down. */
const LOCAL_ENDPOINT = "http://localhost:7070";

export interface BucketSettings {
  ENVIRONMENT: string;
  SERVICE_NAME: string;
  AWS_REGION: string;
  S3_BUCKET?: string | undefined;
  S3_KMS_KEY?: string | undefined;
  S3_PUBLIC_ENDPOINT?: string | undefined;
  AWS_ENDPOINT_URL_S3?: string | undefined;
  AWS_ENDPOINT_URL?: string | undefined;
}

/** How new objects are encrypted, when not by the bucket's own default. */
export interface Encryption {
  ServerSideEncryption?: "aws:kms";
  SSEKMSKeyId?: string;
}

/** The service's bucket and its clients. */
export interface Bucket {
  name: string;
  s3: S3;
  /** For uploads in parts, whose requests take longer. */
  uploads: S3;
  encryption: Encryption;
  /** A URL by which anybody can get the object for five minutes. */
  presign(key: string): Promise<{ url: string; expiresAt: string }>;
  /** Rejects when the bucket cannot be reached. */
  check(): Promise<void>;
  close(): void;
}

/** The bucket of this service in this environment. */
export function bucketName({ S3_BUCKET, ENVIRONMENT, SERVICE_NAME }: BucketSettings): string {
  return S3_BUCKET ?? `${ENVIRONMENT}-${SERVICE_NAME}`;
}

/** The server that is used instead of S3 itself. */
export function s3Endpoint(settings: BucketSettings): string | undefined {
  const local = settings.ENVIRONMENT === "dev" ? LOCAL_ENDPOINT : undefined;
  return settings.AWS_ENDPOINT_URL_S3 ?? settings.AWS_ENDPOINT_URL ?? local;
}

/** What a client of S3 is made with, in the service or in a command. */
export function s3ClientConfig(settings: BucketSettings, endpoint = s3Endpoint(settings)) {
  return {
    ...awsClientConfig(settings),
    // It would cost each part of an upload a connection of its own.
    expectContinueHeader: false,
    // Only AWS has a host name for each bucket.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
  };
}

/** Opens the clients. They connect when they are first used. */
export async function openBucket(settings: BucketSettings, metrics: Registry): Promise<Bucket> {
  const { GetObjectCommand, S3: Client } = await import("@aws-sdk/client-s3");
  const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
  const name = bucketName(settings);
  const config = s3ClientConfig(settings);
  const s3 = new Client(config);
  const uploads = new Client({
    ...config,
    requestHandler: { ...config.requestHandler, requestTimeout: UPLOAD_TIMEOUT_MS },
  });
  // Signing does not call S3, and must not be measured as a call.
  const publicEndpoint = settings.S3_PUBLIC_ENDPOINT ?? s3Endpoint(settings);
  const signer = new Client(s3ClientConfig(settings, publicEndpoint));
  for (const client of [s3, uploads]) {
    client.middlewareStack.use(
      awsTelemetry({
        service: "S3",
        region: settings.AWS_REGION,
        metrics,
        describe: (_operation, { Key }) => ({
          "aws.s3.bucket": name,
          ...(typeof Key === "string" ? { "aws.s3.key": Key } : {}),
        }),
      }),
    );
  }
  return {
    name,
    s3,
    uploads,
    encryption: encryptionOf(settings),
    async presign(Key) {
      const expiresAt = new Date(Date.now() + URL_SECONDS * 1_000).toISOString();
      const command = new GetObjectCommand({ Bucket: name, Key });
      return { url: await getSignedUrl(signer, command, { expiresIn: URL_SECONDS }), expiresAt };
    },
    async check() {
      await s3.headBucket({ Bucket: name }, callOptions(undefined, CHECK_TIMEOUT_MS));
    },
    close() {
      for (const client of [s3, uploads, signer]) client.destroy();
    },
  };
}

function encryptionOf({ S3_KMS_KEY }: BucketSettings): Encryption {
  if (S3_KMS_KEY === undefined) return {};
  return { ServerSideEncryption: "aws:kms", SSEKMSKeyId: S3_KMS_KEY };
}
