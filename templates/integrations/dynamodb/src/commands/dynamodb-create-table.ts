import { makeLocally } from "../platform/aws-local.ts";
import { awsClientConfig } from "../platform/aws.ts";
import { runCommand, UsageError } from "../platform/command.ts";
import { TABLE_SCHEMA, tableName } from "../platform/dynamodb/table.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Makes the service's table on a local server. In AWS, fsd.yml does it.

usage: dynamodb:create-table
`;

await runCommand(HELP, {}, async () => {
  const settings = loadSettings();
  const endpoint = settings.AWS_ENDPOINT_URL_DYNAMODB;
  if (endpoint === undefined) throw new UsageError("AWS_ENDPOINT_URL_DYNAMODB is not set");
  const { DynamoDB } = await import("@aws-sdk/client-dynamodb");
  const client = new DynamoDB({ ...awsClientConfig(settings), endpoint });
  const TableName = tableName(settings);
  await makeLocally(`table ${TableName}`, ["ResourceInUseException"], () =>
    client.createTable({ TableName, ...TABLE_SCHEMA }),
  );
});
