import { setTimeout as delay } from "node:timers/promises";
import { awsErrorName } from "../platform/aws-errors.ts";
import { awsClientConfig } from "../platform/aws.ts";
import { print, runCommand, UsageError } from "../platform/command.ts";
import { TABLE_SCHEMA, tableName } from "../platform/dynamodb/table.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Makes the service's table on a local server. In AWS, fsd.yml does it.

usage: dynamodb:create-table
`;
const WAIT_SECONDS = 30;

await runCommand(HELP, {}, async () => {
  const settings = loadSettings();
  const endpoint = settings.AWS_ENDPOINT_URL_DYNAMODB;
  if (endpoint === undefined) throw new UsageError("AWS_ENDPOINT_URL_DYNAMODB is not set");
  const { DynamoDB } = await import("@aws-sdk/client-dynamodb");
  const client = new DynamoDB({ ...awsClientConfig(settings), endpoint });
  const TableName = tableName(settings);
  // The server may have been started just now.
  for (let second = 1; ; second += 1) {
    try {
      await client.createTable({ TableName, ...TABLE_SCHEMA });
      return print(`table ${TableName} is made`);
    } catch (error) {
      if (awsErrorName(error) === "ResourceInUseException")
        return print(`table ${TableName} is there already`);
      if (second === WAIT_SECONDS) throw error;
      await delay(1_000);
    }
  }
});
