import type { AwsCredentialIdentityProvider } from "@smithy/types";
import { withTimeout } from "./timing.ts";

interface AwsSettings {
  AWS_REGION: string;
}

const CREDENTIALS_MS = 5_000;
const DEADLINE_MS = 10_000;

let provider: Promise<AwsCredentialIdentityProvider> | undefined;

/**
 * The credentials of this process, shared by all its clients and tokens: fetched when first needed, and again five
 * minutes before they expire. If each client fetched its own, the container's agent would throttle them.
 */
export function awsCredentials(settings: AwsSettings): AwsCredentialIdentityProvider {
  return async (properties) => {
    const asked = (provider ??= loadProvider(settings.AWS_REGION));
    try {
      const credentials = asked.then((provide) => provide(properties));
      return await withTimeout(credentials, CREDENTIALS_MS, "AWS gave no credentials in time");
    } catch (error) {
      // The provider would have all others wait for the same answer, which may never come.
      if (provider === asked) provider = undefined;
      throw error;
    }
  };
}

async function loadProvider(region: string): Promise<AwsCredentialIdentityProvider> {
  const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
  return defaultProvider({ clientConfig: { region }, timeout: 1_000, maxRetries: 2 });
}

/** What every AWS client is made with. The SDK's own defaults wait for ever, and queue requests for 50 sockets. */
export function awsClientConfig(settings: AwsSettings) {
  return {
    region: settings.AWS_REGION,
    credentials: awsCredentials(settings),
    retryMode: "standard",
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 1_000,
      // For one try, including the wait for a free socket.
      requestTimeout: 5_000,
      // Otherwise the SDK only warns.
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
 * The second argument of a client's call: all its tries end after ten seconds, or with `signal`.
 * @param timeoutMs another limit, which then holds for each try as well: for a call that AWS needs longer for.
 */
export function callOptions(signal?: AbortSignal, timeoutMs?: number): CallOptions {
  const deadline = AbortSignal.timeout(timeoutMs ?? DEADLINE_MS);
  const abortSignal = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  return timeoutMs === undefined ? { abortSignal } : { abortSignal, requestTimeout: timeoutMs };
}

/** The name of `callOptions` until 0.2.0. */
export { callOptions as within };
