import { setTimeout as delay } from "node:timers/promises";
import { awsErrorName } from "../platform/aws-errors.ts";
import { print, runCommand, UsageError } from "../platform/command.ts";
import { bucketName, s3ClientConfig } from "../platform/s3/bucket.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Makes the service's bucket on a local server. In AWS, fsd.yml does it.

usage: s3:create-bucket
`;
const WAIT_SECONDS = 30;
const THERE = new Set(["BucketAlreadyExists", "BucketAlreadyOwnedByYou"]);

await runCommand(HELP, {}, async () => {
  const settings = loadSettings();
  if (settings.AWS_ENDPOINT_URL_S3 === undefined)
    throw new UsageError("AWS_ENDPOINT_URL_S3 is not set");
  const { S3 } = await import("@aws-sdk/client-s3");
  const client = new S3(s3ClientConfig(settings));
  const Bucket = bucketName(settings);
  // The server may have been started just now.
  for (let second = 1; ; second += 1) {
    try {
      await client.createBucket({ Bucket });
      return print(`bucket ${Bucket} is made`);
    } catch (error) {
      if (THERE.has(awsErrorName(error))) return print(`bucket ${Bucket} is there already`);
      if (second === WAIT_SECONDS) throw error;
      await delay(1_000);
    }
  }
});
