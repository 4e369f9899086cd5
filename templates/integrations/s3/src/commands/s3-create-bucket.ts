import { makeLocally } from "../platform/aws-local.ts";
import { runCommand, UsageError } from "../platform/command.ts";
import { bucketName, s3ClientConfig } from "../platform/s3/bucket.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Makes the service's bucket on a local server. In AWS, fsd.yml does it.

usage: s3:create-bucket
`;
const THERE = ["BucketAlreadyExists", "BucketAlreadyOwnedByYou"];

await runCommand(HELP, {}, async () => {
  const settings = loadSettings();
  if (settings.AWS_ENDPOINT_URL_S3 === undefined)
    throw new UsageError("AWS_ENDPOINT_URL_S3 is not set");
  const { S3 } = await import("@aws-sdk/client-s3");
  const client = new S3(s3ClientConfig(settings));
  const Bucket = bucketName(settings);
  await makeLocally(`bucket ${Bucket}`, THERE, () => client.createBucket({ Bucket }));
});
