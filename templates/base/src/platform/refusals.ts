import { AppError } from "./errors.ts";

/** Larger bodies are refused. */
export const BODY_LIMIT_BYTES = 1_048_576;

/** A longer path parameter matches no route. */
export const MAX_PARAM_LENGTH = 1_024;

export function bodyTooLarge(): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `The body is larger than ${BODY_LIMIT_BYTES} bytes`);
}

export function bodyNotJson(): AppError {
  return new AppError("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json");
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
