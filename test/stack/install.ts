// Makes everything that the end-to-end tests run against, ahead of them: node test/stack/install.ts
import { installCollector } from "./collector.ts";
import { installDynamoDb } from "./dynamodb.ts";
import { installKafka } from "./kafka/install.ts";
import { installS3 } from "./s3.ts";
import { installToxiproxy } from "./toxiproxy.ts";

/** One after the other, for each build takes all CPUs. @throws about the first that cannot be had. */
export async function installStack(): Promise<void> {
  await installKafka();
  await installToxiproxy();
  await installCollector();
  await installS3();
  await installDynamoDb();
}

if (import.meta.main) await installStack();
