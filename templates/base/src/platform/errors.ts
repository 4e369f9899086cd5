import { currentRequest } from "./context.ts";
import { checkedHeaders } from "./http/headers.ts";

/** The error codes of the standard and the status each is answered with. */
export const ERROR_STATUS = {
  VALIDATION_ERROR: 400,
  AUTH_ERROR: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  EXTERNAL_SERVICE_ERROR: 502,
  OVERLOADED: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/** One refused field: where it is (`body.items.0.price`) and what is wrong with it. */
export interface ErrorDetail {
  field: string;
  message: string;
}

interface AppErrorOptions extends ErrorOptions {
  details?: ErrorDetail[];
  /** Extra response headers, such as Allow or Retry-After. */
  headers?: Record<string, string>;
}

/** An error that the caller is told about: throw it anywhere below a route. Its message is sent. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: ErrorDetail[] | undefined;
  readonly headers: Record<string, string>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.status = ERROR_STATUS[code];
    this.details = options.details;
    this.headers = checkedHeaders(options.headers);
  }
}

/** The body of every answer that is not a success. */
export interface ErrorBody {
  error: {
    code: ErrorCode;
    message: string;
    request_id: string;
    timestamp: string;
    details?: ErrorDetail[];
  };
}

/** What the caller gets for `error`. Anything but an AppError is a 500 that gives nothing away. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("INTERNAL_ERROR", "An internal error occurred", { cause: error });
}

/** The error body of the standard, with the id of the request at hand. */
export function errorBody(error: AppError): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      request_id: currentRequest()?.requestId ?? "",
      timestamp: new Date().toISOString(),
      ...(error.details === undefined ? {} : { details: error.details }),
    },
  };
}
