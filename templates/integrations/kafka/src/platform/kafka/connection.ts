import type { BaseOptions } from "@platformatic/kafka";
import { awsCredentials } from "../aws.ts";

/** The settings by which the brokers are found and convinced. */
export interface KafkaSettings {
  ENVIRONMENT: string;
  SERVICE_NAME: string;
  AWS_REGION: string;
  KAFKA_BROKERS: string[];
  KAFKA_CONSUMER_GROUP?: string | undefined;
  KAFKA_SESSION_TIMEOUT: number;
  KAFKA_HEARTBEAT_INTERVAL: number;
  USE_MSK_IAM?: boolean | undefined;
}

/** The service's consumer group: one in each environment, unless the settings name it. */
export function consumerGroup(settings: KafkaSettings): string {
  return settings.KAFKA_CONSUMER_GROUP ?? `${settings.SERVICE_NAME}-${settings.ENVIRONMENT}`;
}

/** The client's own default gives up after three tries, and its consumer then sits there and reads nothing. */
const RETRIES = 60;
const LONGEST_RETRY_MS = 2_000;

/** What every client of the brokers is made with. Without TLS only in dev, and never with credentials. */
export function connectionOptions(settings: KafkaSettings): BaseOptions {
  const isLocal = settings.ENVIRONMENT === "dev";
  const withIam = settings.USE_MSK_IAM ?? !isLocal;
  return {
    clientId: settings.SERVICE_NAME,
    bootstrapBrokers: settings.KAFKA_BROKERS,
    connectTimeout: 3_000,
    retries: RETRIES,
    retryDelay: (_client, _operation, attempt) => Math.min(100 * 2 ** attempt, LONGEST_RETRY_MS),
    ...((withIam || !isLocal) && { tls: {} }),
    ...(withIam && {
      sasl: { mechanism: "OAUTHBEARER" as const, token: () => mskToken(settings) },
    }),
  };
}

/** A signed token of MSK. The client asks for the next one when four fifths of this one's life are over. */
async function mskToken(settings: KafkaSettings): Promise<string> {
  const { generateAuthTokenFromCredentialsProvider } = await import("aws-msk-iam-sasl-signer-js");
  const { token } = await generateAuthTokenFromCredentialsProvider({
    region: settings.AWS_REGION,
    awsCredentialsProvider: awsCredentials(settings),
  });
  return token;
}
