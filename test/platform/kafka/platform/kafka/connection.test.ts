import { expect, test } from "vitest";
import { connectionOptions, consumerGroup } from "../../../src/platform/kafka/connection.ts";
import { loadSettings } from "../../../src/settings.ts";

const optionsFor = (env: Record<string, string>) => connectionOptions(loadSettings(env));

const user = { KAFKA_USERNAME: "alice", KAFKA_PASSWORD: "secret" };
const certificate = { KAFKA_TLS_CERT: "-----BEGIN CERTIFICATE-----", KAFKA_TLS_KEY: "a key" };

test.each([
  ["dev", {}, "plaintext"],
  ["dev", { USE_MSK_IAM: "true" }, "TLS OAUTHBEARER"],
  ["dev", { KAFKA_TLS: "true" }, "TLS"],
  ["dev", user, "plaintext SCRAM-SHA-512"],
  ["stage", {}, "TLS OAUTHBEARER"],
  ["prod", { USE_MSK_IAM: "true" }, "TLS OAUTHBEARER"],
  ["prod", { USE_MSK_IAM: "false" }, "TLS"],
  ["prod", user, "TLS SCRAM-SHA-512"],
  ["prod", certificate, "TLS with a certificate"],
])("in %s with %j it is %s", (ENVIRONMENT, env, expected) => {
  const { tls, sasl } = optionsFor({ ENVIRONMENT, ...env });
  const kind = [
    tls === undefined ? "plaintext" : "TLS",
    ...(sasl === undefined ? [] : [sasl.mechanism]),
    ...(tls?.cert === undefined ? [] : ["with a certificate"]),
  ];
  expect(kind.join(" ")).toBe(expected);
});

test.each([
  [{ ENVIRONMENT: "prod", KAFKA_TLS: "false" }, "KAFKA_TLS: may be false only in dev"],
  [{ KAFKA_USERNAME: "alice" }, "needs KAFKA_PASSWORD"],
  [{ KAFKA_TLS_KEY: "a key" }, "needs KAFKA_TLS_KEY"],
  [{ USE_MSK_IAM: "true", ...user }, "USE_MSK_IAM: excludes KAFKA_USERNAME"],
])("%j contradicts itself", (env, problem) => {
  expect(() => optionsFor(env)).toThrow(problem);
});

test("brokers may have IPv6 addresses", () => {
  const { KAFKA_BROKERS } = loadSettings({ KAFKA_BROKERS: "[::1]:9092,kafka:9093" });
  expect(KAFKA_BROKERS).toEqual(["[::1]:9092", "kafka:9093"]);
  expect(() => loadSettings({ KAFKA_BROKERS: "::1:9092" })).toThrow("KAFKA_BROKERS");
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
