import { errorText } from "./error-text.ts";
import { AppError } from "../errors.ts";
import type { Exchange } from "./requests.ts";

/** Larger bodies are refused. */
export const BODY_LIMIT_BYTES = 1_048_576;

/** A longer path parameter matches no route. */
export const MAX_PARAM_LENGTH = 1_024;

export function bodyTooLarge(limit = BODY_LIMIT_BYTES): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `The body is larger than ${limit} bytes`);
}

export function bodyNotJson(): AppError {
  return new AppError("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json");
}

export function bodyOfOtherType(expected: readonly string[]): AppError {
  const message = `The body must be ${expected.join(" or ")}, without an encoding`;
  return new AppError("UNSUPPORTED_MEDIA_TYPE", message);
}

export function bodyMalformed(cause?: unknown): AppError {
  return new AppError("VALIDATION_ERROR", "Request validation failed", {
    cause,
    details: [{ field: "body", message: "must be valid JSON" }],
  });
}

export function pathMalformed(cause?: unknown): AppError {
  return new AppError("VALIDATION_ERROR", "The path is not valid", { cause });
}

/** Answers a request with an `Expect` header other than 100-continue. */
export function refuseExpectation(exchange: Exchange): void {
  const message = "this expectation cannot be met";
  exchange.res.shouldKeepAlive = false;
  exchange.send({
    status: 417,
    headers: { "Content-Type": "application/json" },
    body: errorText("EXPECTATION_FAILED", message, exchange.requestId),
  });
}
