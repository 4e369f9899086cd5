import { createLocalResource } from "../platform/aws-local.ts";
import { runCommand, UsageError } from "../platform/command.ts";
import { bucketName, s3ClientConfig, s3Endpoint } from "../platform/s3/bucket.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Creates the service's bucket on a local server. In AWS, fsd.yml does it.

usage: s3:create-bucket
`;
const EXISTS = ["BucketAlreadyExists", "BucketAlreadyOwnedByYou"];

await runCommand(HELP, {}, async () => {
  const settings = loadSettings();
  if (s3Endpoint(settings) === undefined)
    throw new UsageError("neither AWS_ENDPOINT_URL_S3 nor AWS_ENDPOINT_URL is set");
  const { S3 } = await import("@aws-sdk/client-s3");
  const client = new S3(s3ClientConfig(settings));
  const Bucket = bucketName(settings);
  await createLocalResource(`bucket ${Bucket}`, EXISTS, () => client.createBucket({ Bucket }));
});
