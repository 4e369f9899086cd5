import { expect, test } from "vitest";
import { connectionOptions, consumerGroup } from "../../../src/platform/kafka/connection.ts";
import { loadSettings } from "../../../src/settings.ts";

const optionsFor = (env: Record<string, string>) => connectionOptions(loadSettings(env));

test.each([
  ["dev", undefined, "plaintext"],
  ["dev", "true", "TLS and a token"],
  ["stage", undefined, "TLS and a token"],
  ["prod", "true", "TLS and a token"],
  ["prod", "false", "TLS"],
])("in %s with USE_MSK_IAM=%s it is %s", (ENVIRONMENT, USE_MSK_IAM, expected) => {
  const { tls, sasl } = optionsFor({ ENVIRONMENT, ...(USE_MSK_IAM && { USE_MSK_IAM }) });
  const kind = tls === undefined ? "plaintext" : sasl === undefined ? "TLS" : "TLS and a token";
  expect(kind).toBe(expected);
  expect(sasl?.mechanism ?? "OAUTHBEARER").toBe("OAUTHBEARER");
});

test("the token is signed with the service's credentials for its region", async () => {
  const given = { ...process.env };
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret" });
  try {
    const { sasl } = optionsFor({ ENVIRONMENT: "stage", AWS_REGION: "eu-west-1" });
    const token = await (sasl!.token as () => Promise<string>)();
    const url = new URL(Buffer.from(token, "base64url").toString());
    expect(url.host).toBe("kafka.eu-west-1.amazonaws.com");
    expect(url.searchParams.get("Action")).toBe("kafka-cluster:Connect");
    expect(url.searchParams.get("X-Amz-Credential")).toMatch(/^AKIDEXAMPLE\/\d{8}\/eu-west-1\//);
  } finally {
    process.env = given;
  }
});

test("each environment has a consumer group of its own", () => {
  const named = { SERVICE_NAME: "receipts", ENVIRONMENT: "stage" };
  expect(consumerGroup(loadSettings(named))).toBe("receipts-stage");
  expect(consumerGroup(loadSettings({ ...named, KAFKA_CONSUMER_GROUP: "mine" }))).toBe("mine");
});
