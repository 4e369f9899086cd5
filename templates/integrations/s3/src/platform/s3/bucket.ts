import type { S3 } from "@aws-sdk/client-s3";
import type { Registry } from "@prometheus-io/client";
import { awsTelemetry } from "../aws-telemetry.ts";
import { awsClientConfig, within } from "../aws.ts";

const CHECK_TIMEOUT_MS = 1_500;
const URL_SECONDS = 300;

export interface BucketSettings {
  ENVIRONMENT: string;
  SERVICE_NAME: string;
  AWS_REGION: string;
  S3_BUCKET?: string | undefined;
  AWS_ENDPOINT_URL_S3?: string | undefined;
}

/** The service's bucket and the client of this process. */
export interface Bucket {
  name: string;
  s3: S3;
  /** A URL that anybody can get the object with, for five minutes. */
  presign(key: string): Promise<{ url: string; expiresAt: string }>;
  /** Rejects when the bucket cannot be reached. */
  check(): Promise<void>;
  close(): void;
}

/** The bucket of this service in this environment. */
export function bucketName({ S3_BUCKET, ENVIRONMENT, SERVICE_NAME }: BucketSettings): string {
  return S3_BUCKET ?? `${ENVIRONMENT}-${SERVICE_NAME}`;
}

/** What a client of S3 is made with, here or in a command line tool. */
export function s3ClientConfig(settings: BucketSettings) {
  const endpoint = settings.AWS_ENDPOINT_URL_S3;
  return {
    ...awsClientConfig(settings),
    // It would cost each part of an upload a connection of its own.
    expectContinueHeader: false,
    // Only AWS has a host name for each bucket.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
  };
}

/** The client connects when it is first used, and lets go of what is not there. */
export async function openBucket(settings: BucketSettings, metrics: Registry): Promise<Bucket> {
  const { GetObjectCommand, S3: Client } = await import("@aws-sdk/client-s3");
  const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
  const name = bucketName(settings);
  const s3 = new Client(s3ClientConfig(settings));
  // Signing is no call, and would be counted and traced as one.
  const signer = new Client(s3ClientConfig(settings));
  s3.middlewareStack.use(
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
  return {
    name,
    s3,
    async presign(Key) {
      const expiresAt = new Date(Date.now() + URL_SECONDS * 1_000).toISOString();
      const command = new GetObjectCommand({ Bucket: name, Key });
      return { url: await getSignedUrl(signer, command, { expiresIn: URL_SECONDS }), expiresAt };
    },
    async check() {
      await s3.headBucket({ Bucket: name }, within(undefined, CHECK_TIMEOUT_MS));
    },
    close() {
      s3.destroy();
      signer.destroy();
    },
  };
}
