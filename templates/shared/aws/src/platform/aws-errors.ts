import { AppError } from "./errors.ts";

const THROTTLED = new Set([
  "BandwidthLimitExceeded",
  "LimitExceededException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
]);

/** What the SDK's errors have in common. */
interface ServiceError {
  name?: string;
  $metadata?: { httpStatusCode?: number };
}

/** The name of a service's error, such as `ConditionalCheckFailedException`; empty when there is none. */
export function awsErrorName(error: unknown): string {
  return (error as ServiceError | undefined)?.name ?? "";
}

/** An answer without a body, as to a HEAD request, has no error name. */
const BUSY_STATUSES = new Set([429, 503]);

/**
 * What the caller of a route gets when a call to AWS has failed after all its tries: 503 with Retry-After when AWS asked
 * us to slow down, else 502. The log has the cause.
 */
export function awsFailure(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { name = "", $metadata } = error as ServiceError;
  if (THROTTLED.has(name) || BUSY_STATUSES.has($metadata?.httpStatusCode ?? 0)) {
    return new AppError("OVERLOADED", "The service is busy, try again", {
      cause: error,
      // Random, so that callers that were refused together do not come back together.
      headers: { "Retry-After": String(1 + Math.floor(Math.random() * 3)) },
    });
  }
  return new AppError("EXTERNAL_SERVICE_ERROR", "An upstream service failed", { cause: error });
}

/** For `.catch` behind a call to AWS. @throws {AppError} `awsFailure` of the error. */
export function throwFailure(error: unknown): never {
  throw awsFailure(error);
}
