import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";

/**
 * The secondary indexes of the table. They are general: each kind of thing says what it keeps in which. After a change,
 * `dynamodb:create-table -- --print` prints what belongs into fsd.yml; a test holds the two together.
 */
export const INDEXES = ["gsi1"] as const;

export type IndexName = (typeof INDEXES)[number];

/** The attribute by which things expire: seconds since 1970. */
export const EXPIRES = "expires";

type TableSchema = Omit<CreateTableCommandInput, "TableName">;

const text = (AttributeName: string) => ({ AttributeName, AttributeType: "S" }) as const;
const hash = (AttributeName: string) => ({ AttributeName, KeyType: "HASH" }) as const;
const range = (AttributeName: string) => ({ AttributeName, KeyType: "RANGE" }) as const;

/** The one table of the service: its key is the kind of a thing and the thing's id. */
export const TABLE_SCHEMA: TableSchema = {
  KeySchema: [hash("pk"), range("sk")],
  AttributeDefinitions: ["pk", "sk", ...INDEXES.flatMap((name) => [`${name}pk`, `${name}sk`])].map(
    text,
  ),
  GlobalSecondaryIndexes: INDEXES.map((name) => ({
    IndexName: name,
    KeySchema: [hash(`${name}pk`), range(`${name}sk`)],
    Projection: { ProjectionType: "ALL" },
  })),
  BillingMode: "PAY_PER_REQUEST",
};

/** The table as a dependency in fsd.yml has it. */
export function tableInFsd(): object {
  const {
    KeySchema,
    AttributeDefinitions,
    GlobalSecondaryIndexes = [],
    BillingMode,
  } = TABLE_SCHEMA;
  return {
    key_schema: snakeCase(KeySchema),
    attribute_definitions: snakeCase(AttributeDefinitions),
    ...(GlobalSecondaryIndexes.length > 0 && {
      global_secondary_indexes: snakeCase(GlobalSecondaryIndexes),
    }),
    time_to_live_specification: { attribute_name: EXPIRES, enabled: true },
    billing_mode: BillingMode,
  };
}

function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [
    name.replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase(),
    snakeCase(inner),
  ]);
  return Object.fromEntries(entries);
}
