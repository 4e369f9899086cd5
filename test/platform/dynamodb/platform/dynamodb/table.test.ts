import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { TABLE_SCHEMA } from "../../../src/platform/dynamodb/table.ts";

interface Dependency {
  type: string;
  key_schema: { attribute_name: string; key_type: string }[];
  attribute_definitions: { attribute_name: string; attribute_type: string }[];
  billing_mode: string;
}

test("fsd.yml deploys the table that the repositories use", () => {
  const { dependencies } = parse(
    readFileSync(new URL("../../../fsd.yml", import.meta.url), "utf8"),
  ) as {
    dependencies: Dependency[];
  };
  const table = dependencies.find(({ type }) => type === "aws_dynamodb_table")!;
  expect({
    KeySchema: table.key_schema.map(({ attribute_name, key_type }) => ({
      AttributeName: attribute_name,
      KeyType: key_type,
    })),
    AttributeDefinitions: table.attribute_definitions.map(({ attribute_name, attribute_type }) => ({
      AttributeName: attribute_name,
      AttributeType: attribute_type,
    })),
    BillingMode: table.billing_mode,
  }).toEqual(TABLE_SCHEMA);
});
