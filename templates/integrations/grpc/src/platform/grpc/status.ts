import { AppError } from "../errors.ts";

/** The statuses of gRPC, each in the place of its number. */
const STATUSES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

export type GrpcStatus = (typeof STATUSES)[number];

/** What a server answered instead of a message, or what a call without an answer ended with. For the log only. */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus, details: string, options?: ErrorOptions) {
    super(`${status}: ${details}`, options);
    this.status = status;
  }
}

/** The status with this number; UNKNOWN for one that no version of gRPC has. */
export function statusOf(code: number): GrpcStatus {
  return STATUSES[code] ?? "UNKNOWN";
}

// A server that stops cancels what it has not finished: the next one will take it.
const BUSY = new Set<GrpcStatus>(["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"]);

/**
 * What the caller of a route gets when a call has failed after all its tries: 503 with Retry-After when the server is
 * away or asked us to slow down, else 502. Nothing of the server's own words is in it; the log has the cause.
 */
export function grpcFailure(cause: GrpcError): AppError {
  if (!BUSY.has(cause.status)) {
    return new AppError("EXTERNAL_SERVICE_ERROR", "An upstream service failed", { cause });
  }
  return new AppError("OVERLOADED", "The service is busy, try again", {
    cause,
    // Random, so that callers that were refused together do not come back together.
    headers: { "Retry-After": String(1 + Math.floor(Math.random() * 3)) },
  });
}

/**
 * For `.catch` behind a call, in a route that has a word of its own for a status:
 * `.catch(onStatus("NOT_FOUND", () => new AppError("NOT_FOUND", "There is no such member")))`.
 */
export function onStatus(status: GrpcStatus, toError: () => Error): (error: unknown) => never {
  return (error) => {
    const { cause } = Object(error) as Error;
    throw cause instanceof GrpcError && cause.status === status ? toError() : error;
  };
}
