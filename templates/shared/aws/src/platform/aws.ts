import type { AwsCredentialIdentityProvider } from "@smithy/types";

interface AwsSettings {
  AWS_REGION: string;
}

const DEADLINE_MS = 10_000;

let provider: Promise<AwsCredentialIdentityProvider> | undefined;

/**
 * The credentials of this process, one source for every client and token in it: fetched when first needed, and again
 * five minutes before they expire. A source each would ask the container's agent so often that it refuses.
 */
export function awsCredentials(settings: AwsSettings): AwsCredentialIdentityProvider {
  return async (properties) => {
    provider ??= loadProvider(settings.AWS_REGION);
    return (await provider)(properties);
  };
}

async function loadProvider(region: string): Promise<AwsCredentialIdentityProvider> {
  const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
  return defaultProvider({ clientConfig: { region }, timeout: 1_000, maxRetries: 2 });
}

/**
 * What every AWS client is made with. The SDK's own defaults wait without end, and let requests queue for 50 sockets.
 */
export function awsClientConfig(settings: AwsSettings) {
  return {
    region: settings.AWS_REGION,
    credentials: awsCredentials(settings),
    retryMode: "standard",
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 1_000,
      // For one try, the wait for a free socket included.
      requestTimeout: 5_000,
      // Otherwise a time-out is no more than a warning.
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: 200 },
      httpsAgent: { maxSockets: 200 },
    },
  };
}

/** How a single call of a client ends, whatever the client is made with. */
export interface CallOptions {
  abortSignal: AbortSignal;
  requestTimeout?: number;
}

/**
 * The second argument of a client's call, which ends with all its tries after ten seconds, or with `signal`.
 * @param milliseconds another time, for each try as well: for a call that AWS needs longer for.
 */
export function within(signal?: AbortSignal, milliseconds?: number): CallOptions {
  const deadline = AbortSignal.timeout(milliseconds ?? DEADLINE_MS);
  const abortSignal = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  return milliseconds === undefined
    ? { abortSignal }
    : { abortSignal, requestTimeout: milliseconds };
}
