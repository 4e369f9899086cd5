import { createLocalResource } from "../platform/aws-local.ts";
import { print, runCommand, UsageError } from "../platform/command.ts";
import { EXPIRES, TABLE_SCHEMA, tableInFsd } from "../platform/dynamodb/indexes.ts";
import { dynamoDbClientConfig, tableName } from "../platform/dynamodb/table.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Creates the service's table on a local server. In AWS, fsd.yml does it.

usage: dynamodb:create-table
       dynamodb:create-table -- --print    what belongs into fsd.yml, as JSON, which is YAML as well
`;

await runCommand(HELP, { print: { type: "boolean" } }, async ({ values }) => {
  if (values["print"] === true) return print(JSON.stringify(tableInFsd(), null, 2));
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
  const TimeToLiveSpecification = { AttributeName: EXPIRES, Enabled: true };
  // A local server may not know it, and without it nothing but old items stays.
  await client.updateTimeToLive({ TableName, TimeToLiveSpecification }).catch(() => {});
});
