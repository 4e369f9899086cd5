import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { tableInFsd } from "../../../src/platform/dynamodb/indexes.ts";

interface Fsd {
  dependencies: ({ type: string } & Record<string, unknown>)[];
  iam: { policy_statements: { sid: string; resources: string[] }[] };
}

const fsd = parse(readFileSync(new URL("../../../fsd.yml", import.meta.url), "utf8")) as Fsd;

test("fsd.yml deploys the table that the repositories use, with its indexes", () => {
  const table = fsd.dependencies.find(({ type }) => type === "aws_dynamodb_table");
  expect(table).toEqual({
    type: "aws_dynamodb_table",
    table_name: expect.stringContaining("${env:ENVIRONMENT}-"),
    ...tableInFsd(),
  });
});

test("the service may use the indexes", () => {
  const statement = fsd.iam.policy_statements.find(({ sid }) => sid === "DynamoDbTable");
  expect(statement?.resources.some((resource) => resource.endsWith("/index/*"))).toBe(true);
});
