import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { tableInFsd } from "../../../src/platform/dynamodb/indexes.ts";

interface Fsd {
  dependencies: ({ type: string } & Record<string, unknown>)[];
  iam: { policy_statements: { sid: string; resources: string[] }[] };
}

const text = readFileSync(new URL("../../../fsd.yml", import.meta.url), "utf8");
// What is switched off are lines of YAML in comments; prose begins with a capital.
const SWITCHED_OFF = /^( *)# ((?: *)(?:- )?[a-z0-9_]+:.*)$/gm;

test("fsd.yml has the table that the repositories use, with its indexes", () => {
  const { dependencies } = parse(text.replace(SWITCHED_OFF, "$1$2")) as Fsd;
  const table = dependencies.find(({ type }) => type === "aws_dynamodb_table");
  expect(table).toEqual({
    type: "aws_dynamodb_table",
    table_name: expect.stringContaining("${env:ENVIRONMENT}-"),
    ...tableInFsd(),
  });
});

test("the service may use the indexes", () => {
  const { iam } = parse(text) as Fsd;
  const statement = iam.policy_statements.find(({ sid }) => sid === "DynamoDbTable");
  expect(statement?.resources.some((resource) => resource.endsWith("/index/*"))).toBe(true);
});
