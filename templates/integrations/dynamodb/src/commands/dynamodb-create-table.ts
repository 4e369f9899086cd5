import { createLocalResource } from "../platform/aws-local.ts";
import { runCommand, UsageError } from "../platform/command.ts";
import { dynamoDbClientConfig, TABLE_SCHEMA, tableName } from "../platform/dynamodb/table.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Creates the service's table on a local server. In AWS, fsd.yml does it.

usage: dynamodb:create-table
`;

await runCommand(HELP, {}, async () => {
  const settings = loadSettings();
  const config = dynamoDbClientConfig(settings);
  if (config.endpoint === undefined)
    throw new UsageError("neither AWS_ENDPOINT_URL_DYNAMODB nor AWS_ENDPOINT_URL is set");
  const { DynamoDB } = await import("@aws-sdk/client-dynamodb");
  const client = new DynamoDB(config);
  const TableName = tableName(settings);
  await createLocalResource(`table ${TableName}`, ["ResourceInUseException"], () =>
    client.createTable({ TableName, ...TABLE_SCHEMA }),
  );
});
