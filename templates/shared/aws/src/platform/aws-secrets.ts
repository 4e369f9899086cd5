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
        env[variable] = key.length === 0 ? text : fieldOf(text, key.join("#"));
      } catch (error) {
        env[variable] = `${reference} (${(error as Error).message})`;
      }
    }),
  );
}

/** @throws with the reason alone: what AWS says besides may name roles and accounts. */
async function fetchText(fetchSecret: FetchSecret, id: string): Promise<string> {
  const text = await fetchSecret(id).catch((error: unknown) => {
    throw new Error((error as Error).name);
  });
  if (text === undefined) throw new Error("it has no text");
  return text;
}

function fieldOf(text: string, key: string): string {
  const value = (parseObject(text) as Record<string, unknown>)[key];
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new Error(`it has no text under ${key}`);
}

function parseObject(text: string): object {
  try {
    return Object(JSON.parse(text)) as object;
  } catch {
    // The parser's own message quotes the text.
    throw new Error("it is not JSON");
  }
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
