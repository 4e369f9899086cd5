import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";
import type { DynamoDBDocument } from "@aws-sdk/lib-dynamodb";
import type { Registry } from "@prometheus-io/client";
import { awsTelemetry } from "../aws-telemetry.ts";
import { awsClientConfig, callOptions } from "../aws.ts";
import { SettingsError } from "../settings.ts";

/** The one table of the service: its key has the kind of a thing and the thing's id. */
export const TABLE_SCHEMA: Omit<CreateTableCommandInput, "TableName"> = {
  KeySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ],
  AttributeDefinitions: [
    { AttributeName: "pk", AttributeType: "S" },
    { AttributeName: "sk", AttributeType: "S" },
  ],
  BillingMode: "PAY_PER_REQUEST",
};

const CHECK_TIMEOUT_MS = 1_500;

export interface TableSettings {
  ENVIRONMENT: string;
  SERVICE_NAME: string;
  AWS_REGION: string;
  DYNAMODB_TABLE?: string | undefined;
  PAGE_CURSOR_KEY?: string | undefined;
  AWS_ENDPOINT_URL_DYNAMODB?: string | undefined;
  AWS_ENDPOINT_URL?: string | undefined;
}

/** The table as the repositories use it. */
export interface Table {
  name: string;
  document: DynamoDBDocument;
  /** Signs the cursors of lists. */
  cursorKey: string;
  /** Rejects when the table cannot be read. */
  check(): Promise<void>;
  close(): void;
}

/** The table of this service in this environment. */
export function tableName({ DYNAMODB_TABLE, ENVIRONMENT, SERVICE_NAME }: TableSettings): string {
  return DYNAMODB_TABLE ?? `${ENVIRONMENT}-${SERVICE_NAME}`;
}

/** What a client of DynamoDB is made with, in the service or in a command. */
export function dynamoDbClientConfig(settings: TableSettings) {
  const endpoint = settings.AWS_ENDPOINT_URL_DYNAMODB ?? settings.AWS_ENDPOINT_URL;
  return { ...awsClientConfig(settings), ...(endpoint !== undefined && { endpoint }) };
}

/**
 * Opens the client of this process. It connects when it is first used.
 * @throws {SettingsError} when deployed without a key for cursors.
 */
export async function openTable(settings: TableSettings, metrics: Registry): Promise<Table> {
  const name = tableName(settings);
  const cursorKey = cursorKeyOf(settings);
  const { DynamoDBClient } = await import("@aws-sdk/client-dynamodb");
  const { DynamoDBDocument: Documents } = await import("@aws-sdk/lib-dynamodb");
  const client = new DynamoDBClient(dynamoDbClientConfig(settings));
  client.middlewareStack.use(
    awsTelemetry({
      service: "DynamoDB",
      region: settings.AWS_REGION,
      metrics,
      describe: (operation) => ({
        "db.system.name": "aws.dynamodb",
        "db.operation.name": operation,
        "aws.dynamodb.table_names": [name],
      }),
    }),
  );
  const document = Documents.from(client, { marshallOptions: { removeUndefinedValues: true } });
  return {
    name,
    document,
    cursorKey,
    async check() {
      const nothing = { TableName: name, Key: { pk: "check", sk: "check" } };
      await document.get(nothing, callOptions(undefined, CHECK_TIMEOUT_MS));
    },
    close: () => client.destroy(),
  };
}

function cursorKeyOf({ PAGE_CURSOR_KEY, ENVIRONMENT, SERVICE_NAME }: TableSettings): string {
  if (PAGE_CURSOR_KEY !== undefined) return PAGE_CURSOR_KEY;
  if (ENVIRONMENT === "dev") return `${SERVICE_NAME}, and nobody's secret`;
  throw new SettingsError([`PAGE_CURSOR_KEY: is required when ENVIRONMENT is ${ENVIRONMENT}`]);
}
