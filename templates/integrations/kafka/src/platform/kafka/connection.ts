import { existsSync, readFileSync } from "node:fs";
import type { BaseOptions } from "@platformatic/kafka";
import { awsCredentials } from "../aws.ts";
import { SettingsError } from "../settings.ts";
import { backoff } from "../timing.ts";

/** The settings by which brokers are found and signed in to. */
export interface KafkaSettings {
  ENVIRONMENT: string;
  SERVICE_NAME: string;
  AWS_REGION: string;
  KAFKA_BROKERS: string[];
  KAFKA_CONSUMER_GROUP?: string | undefined;
  KAFKA_GROUP_INSTANCE_ID?: string | undefined;
  KAFKA_SESSION_TIMEOUT: number;
  KAFKA_HEARTBEAT_INTERVAL: number;
  USE_MSK_IAM?: boolean | undefined;
  KAFKA_USERNAME?: string | undefined;
  KAFKA_PASSWORD?: string | undefined;
  KAFKA_TLS?: boolean | undefined;
  /** PEM, or the path of a file. */
  KAFKA_TLS_CA?: string | undefined;
  KAFKA_TLS_CERT?: string | undefined;
  KAFKA_TLS_KEY?: string | undefined;
}

/** The service's consumer group: one in each environment, unless the settings name it. */
export function consumerGroup(settings: KafkaSettings): string {
  return settings.KAFKA_CONSUMER_GROUP ?? `${settings.SERVICE_NAME}-${settings.ENVIRONMENT}`;
}

/** The client's own default gives up after three tries. */
const RETRIES = 60;

/**
 * What every client of the brokers is made with: IAM, a user with its password, or a certificate. Plaintext only in dev.
 * @throws {SettingsError} for settings that contradict each other.
 */
export function connectionOptions(settings: KafkaSettings): BaseOptions {
  const isLocal = settings.ENVIRONMENT === "dev";
  const { KAFKA_USERNAME: username, KAFKA_PASSWORD: password, KAFKA_TLS_CERT: cert } = settings;
  const hasOther = username !== undefined || cert !== undefined;
  const withIam = settings.USE_MSK_IAM ?? (!isLocal && !hasOther);
  const withTls = settings.KAFKA_TLS ?? (withIam || !isLocal || cert !== undefined);
  const problems = [
    ...(withIam && hasOther ? ["USE_MSK_IAM: excludes KAFKA_USERNAME and KAFKA_TLS_CERT"] : []),
    ...((username === undefined) === (password === undefined)
      ? []
      : ["KAFKA_USERNAME: needs KAFKA_PASSWORD, and the other way round"]),
    ...((cert === undefined) === (settings.KAFKA_TLS_KEY === undefined)
      ? []
      : ["KAFKA_TLS_CERT: needs KAFKA_TLS_KEY, and the other way round"]),
    ...(withTls || (isLocal && !withIam) ? [] : ["KAFKA_TLS: may be false only in dev"]),
  ];
  if (problems.length > 0) throw new SettingsError(problems);
  return {
    clientId: settings.SERVICE_NAME,
    bootstrapBrokers: settings.KAFKA_BROKERS,
    connectTimeout: 3_000,
    retries: RETRIES,
    retryDelay: (_client, _operation, attempt) =>
      backoff(attempt, { firstMs: 200, longestMs: 2_000 }),
    ...(withTls && { tls: tlsOptions(settings) }),
    ...(withIam && {
      sasl: { mechanism: "OAUTHBEARER" as const, token: () => mskToken(settings) },
    }),
    ...(username !== undefined &&
      password !== undefined && {
        sasl: { mechanism: "SCRAM-SHA-512" as const, username, password },
      }),
  };
}

function tlsOptions({ KAFKA_TLS_CA, KAFKA_TLS_CERT, KAFKA_TLS_KEY }: KafkaSettings) {
  return {
    ...(KAFKA_TLS_CA && { ca: pem(KAFKA_TLS_CA) }),
    ...(KAFKA_TLS_CERT && { cert: pem(KAFKA_TLS_CERT) }),
    ...(KAFKA_TLS_KEY && { key: pem(KAFKA_TLS_KEY) }),
  };
}

/** A certificate or key: from a file, or as the secrets manager puts it into the environment. */
function pem(setting: string): string {
  return existsSync(setting) ? readFileSync(setting, "utf8") : setting;
}

/** A signed token of MSK. The client asks for the next one after four fifths of its life. */
async function mskToken(settings: KafkaSettings): Promise<string> {
  const { generateAuthTokenFromCredentialsProvider } = await import("aws-msk-iam-sasl-signer-js");
  const { token } = await generateAuthTokenFromCredentialsProvider({
    region: settings.AWS_REGION,
    awsCredentialsProvider: awsCredentials(settings),
  });
  return token;
}
