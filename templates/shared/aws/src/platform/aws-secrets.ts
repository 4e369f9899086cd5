import { existsSync } from "node:fs";
import { awsClientConfig, callOptions } from "./aws.ts";

const PREFIX = "aws-secret:";

/** Fetches the text of a secret, by name or ARN. */
export type FetchSecret = (id: string) => Promise<string | undefined>;

/**
 * Puts the values into the environment of all variables that name a secret of AWS Secrets Manager instead:
 * `DATABASE_PASSWORD=aws-secret:prod/database#password`, or without `#` for the whole text. All secrets are fetched at
 * once, each a single time, within ten seconds. A variable whose secret cannot be read keeps its name, with the reason
 * behind it: `readSettings` lists it among the other problems.
 */
export async function readAwsSecrets(
  env: NodeJS.ProcessEnv,
  connect: (env: NodeJS.ProcessEnv) => Promise<FetchSecret> = connectToAws,
): Promise<void> {
  if (env === process.env && existsSync(".env")) process.loadEnvFile(".env");
  const named = Object.entries(env).filter(([, value]) => value?.startsWith(PREFIX));
  // Only who uses it loads the SDK.
  if (named.length === 0) return;
  const fetchSecret = await connect(env);
  const fetched = new Map<string, Promise<string>>();
  const textOf = (id: string): Promise<string> => {
    const text = fetched.get(id) ?? fetchText(fetchSecret, id);
    fetched.set(id, text);
    return text;
  };
  await Promise.all(
    named.map(async ([variable, reference = ""]) => {
      const [id = "", ...key] = reference.slice(PREFIX.length).split("#");
      try {
        const text = await textOf(id);
        const value = key.length === 0 ? text : fieldOf(text, key.join("#"));
        // It would end the value of a variable.
        if (value.includes("\0")) throw new Error("it has a NUL character");
        env[variable] = value;
      } catch (error) {
        env[variable] = `${reference} (${(error as Error).message})`;
      }
    }),
  );
}

/** @throws with the reason alone: what AWS says besides may name roles and accounts. */
async function fetchText(fetchSecret: FetchSecret, id: string): Promise<string> {
  const text = await fetchSecret(id).catch((error: unknown) => {
    const { name, code } = error as NodeJS.ErrnoException;
    // A network error is named by its code, such as ECONNREFUSED.
    if (typeof code === "string") throw new Error(code);
    throw new Error(/^(Abort|Timeout)Error$/.test(name) ? "no answer in time" : name);
  });
  if (text === undefined) throw new Error("it has no text");
  return text;
}

function fieldOf(text: string, key: string): string {
  const fields = parseFields(text);
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  throw new Error(`it has no text under ${key}`);
}

function parseFields(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    // A number keeps its digits: those of a long one are lost in JavaScript.
    value = JSON.parse(text, (_key, field: unknown, context?: { source?: string }) =>
      typeof field === "number" ? (context?.source ?? String(field)) : field,
    );
  } catch {
    // The parser's own message quotes the text.
    throw new Error("it is not JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error("it is not a JSON object");
}

async function connectToAws(env: NodeJS.ProcessEnv): Promise<FetchSecret> {
  const { SecretsManager } = await import("@aws-sdk/client-secrets-manager");
  const endpoint = env["AWS_ENDPOINT_URL_SECRETS_MANAGER"] || env["AWS_ENDPOINT_URL"];
  const client = new SecretsManager({
    ...awsClientConfig({ AWS_REGION: env["AWS_REGION"] || "us-east-1" }),
    ...(endpoint && { endpoint }),
  });
  return async (SecretId) =>
    (await client.getSecretValue({ SecretId }, callOptions())).SecretString;
}
