import type { DynamoDBDocument } from "@aws-sdk/lib-dynamodb";
import { Counter, type Registry } from "@prometheus-io/client";
import { awsTelemetry } from "../aws-telemetry.ts";
import { awsClientConfig, callOptions } from "../aws.ts";
import type { Logger } from "../logging.ts";
import { SettingsError } from "../settings.ts";
import { toNumber } from "./storable.ts";

export { TABLE_SCHEMA } from "./indexes.ts";

const CHECK_TIMEOUT_MS = 1_500;
/** The server of compose/dynamodb.yaml. Development reaches AWS itself only when its address is written down. */
const LOCAL_ENDPOINT = "http://localhost:8001";

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
  /** An item breaks its schema, and is left out of a page: this is logged and counted. */
  reportBroken(entity: string, id: string, error: Error): void;
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
  const local = settings.ENVIRONMENT === "dev" ? LOCAL_ENDPOINT : undefined;
  const endpoint = settings.AWS_ENDPOINT_URL_DYNAMODB ?? settings.AWS_ENDPOINT_URL ?? local;
  return { ...awsClientConfig(settings), ...(endpoint !== undefined && { endpoint }) };
}

/**
 * Opens the client of this process. It connects when it is first used.
 * @throws {SettingsError} when deployed without a key for cursors.
 */
export async function openTable(
  settings: TableSettings,
  metrics: Registry,
  log?: Logger,
): Promise<Table> {
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
  const document = Documents.from(client, {
    // DynamoDB keeps 38 digits. What a number in JavaScript has less is not imprecise, and `storable.ts` checks the rest.
    marshallOptions: { removeUndefinedValues: true, allowImpreciseNumbers: true },
    unmarshallOptions: { wrapNumbers: toNumber },
  });
  const broken = brokenItems(metrics);
  return {
    name,
    document,
    cursorKey,
    reportBroken(entity, id, error) {
      broken.inc({ entity });
      log?.error({ error, entity, id, table: name }, "a stored item breaks its schema: left out");
    },
    async check() {
      const nothing = { TableName: name, Key: { pk: "check", sk: "check" } };
      await document.get(nothing, callOptions(undefined, CHECK_TIMEOUT_MS));
    },
    close: () => client.destroy(),
  };
}

/** One metric for all tables of a process. */
function brokenItems(metrics: Registry): Counter<"entity"> {
  const name = "dynamodb_broken_items_total";
  const known = metrics.getSingleMetric(name);
  if (known !== undefined) return known as ReturnType<typeof brokenItems>;
  return new Counter({
    name,
    help: "Items that were left out of a page because they break their schema.",
    labelNames: ["entity"],
    registers: [metrics],
  });
}

function cursorKeyOf({ PAGE_CURSOR_KEY, ENVIRONMENT, SERVICE_NAME }: TableSettings): string {
  if (PAGE_CURSOR_KEY !== undefined) return PAGE_CURSOR_KEY;
  if (ENVIRONMENT === "dev") return `${SERVICE_NAME}, and nobody's secret`;
  throw new SettingsError([`PAGE_CURSOR_KEY: is required when ENVIRONMENT is ${ENVIRONMENT}`]);
}
