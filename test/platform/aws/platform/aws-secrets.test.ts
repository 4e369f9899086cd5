import { expect, test } from "vitest";
import { z } from "zod";
import { type FetchSecret, readAwsSecrets } from "../../src/platform/aws-secrets.ts";
import { readSettings, SettingsError } from "../../src/platform/settings.ts";

const DATABASE =
  '{"password":"hunter2","port":5432,"tls":true,"nested":{},"pin":12345678901234567890,"a.b#ß":"odd","nul":"a\\u0000b"}';

/** Secrets in memory, and which of them were asked for. */
function secretsOf(secrets: Record<string, string | undefined>) {
  const asked: string[] = [];
  const fetchSecret: FetchSecret = async (id) => {
    asked.push(id);
    if (id in secrets) return secrets[id];
    throw Object.assign(new Error("role r-1 of account 17"), { name: "ResourceNotFoundException" });
  };
  return { asked, connect: async () => fetchSecret };
}

function problemsOf(env: NodeJS.ProcessEnv): string[] {
  const schema = z.object({ PASSWORD: z.string().max(3).optional(), PORT: z.string() });
  try {
    readSettings(schema, env);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

test("variables get the fields or the whole text of the secrets that they name", async () => {
  const arn = "arn:aws:secretsmanager:us-east-1:1:secret:db-AbC";
  const { connect } = secretsOf({ "prod/db": DATABASE, [arn]: "all of it" });
  const env: NodeJS.ProcessEnv = {
    PASSWORD: "aws-secret:prod/db#password",
    PORT: "aws-secret:prod/db#port",
    TLS: "aws-secret:prod/db#tls",
    PIN: "aws-secret:prod/db#pin",
    ODD: "aws-secret:prod/db#a.b#ß",
    WHOLE: `aws-secret:${arn}`,
    PLAIN: "no secret",
  };
  await readAwsSecrets(env, connect);
  expect(env).toEqual({
    PASSWORD: "hunter2",
    PORT: "5432",
    TLS: "true",
    PIN: "12345678901234567890",
    ODD: "odd",
    WHOLE: "all of it",
    PLAIN: "no secret",
  });
});

test("each secret is fetched once, and all at the same time", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked: string[] = [];
  const reading = readAwsSecrets(
    { A: "aws-secret:one#password", B: "aws-secret:one#port", C: "aws-secret:two" },
    async () => async (id) => {
      asked.push(id);
      await promise;
      return DATABASE;
    },
  );
  await expect.poll(() => asked).toEqual(["one", "two"]);
  resolve();
  await reading;
});

test("who names no secret loads nothing", async () => {
  let isConnected = false;
  await readAwsSecrets({ PASSWORD: "plain" }, async () => {
    isConnected = true;
    return async () => "";
  });
  expect(isConnected).toBe(false);
});

test.each([
  ["does not exist", "aws-secret:other", "(ResourceNotFoundException)"],
  ["lacks the field", "aws-secret:prod/db#user", "(it has no text under user)"],
  ["has another kind of field", "aws-secret:prod/db#nested", "(it has no text under nested)"],
  ["is not JSON", "aws-secret:text#password", "(it is not JSON)"],
  ["is JSON without fields", "aws-secret:none#password", "(it is not a JSON object)"],
  ["is a list", "aws-secret:list#length", "(it is not a JSON object)"],
  ["is a text in JSON", "aws-secret:quoted#length", "(it is not a JSON object)"],
  ["lacks what all objects have", "aws-secret:prod/db#toString", "(it has no text under toString)"],
  ["has a NUL in its field", "aws-secret:prod/db#nul", "(it has a NUL character)"],
  ["is binary", "aws-secret:bytes", "(it has no text)"],
])("a secret that %s is a problem among the others", async (_what, PASSWORD, reason) => {
  const { connect } = secretsOf({
    "prod/db": DATABASE,
    text: "hunter2 and so on",
    none: "null",
    list: '["hunter2"]',
    quoted: '"hunter2"',
    bytes: undefined,
  });
  const env = { PASSWORD };
  await readAwsSecrets(env, connect);
  const [secret, port, ...others] = problemsOf(env);
  expect(secret).toMatch(/^PASSWORD: names a secret /);
  expect(secret).toContain(`${PASSWORD} ${reason}`);
  expect([port, others]).toEqual(["PORT: is required", []]);
  expect(secret).not.toMatch(/hunter2|r-1|17/);
});

test.each([
  ["the name of AWS's error", { name: "AccessDeniedException" }, "AccessDeniedException"],
  ["the code of a network error", { code: "ECONNREFUSED" }, "ECONNREFUSED"],
  ["that nobody answered", { name: "AbortError" }, "no answer in time"],
])("a secret that cannot be fetched says %s", async (_what, error, reason) => {
  const env = { PASSWORD: "aws-secret:prod/db" };
  await readAwsSecrets(env, async () => async () => {
    throw Object.assign(new Error("role r-1 of account 17"), error);
  });
  expect(env.PASSWORD).toBe(`aws-secret:prod/db (${reason})`);
});
