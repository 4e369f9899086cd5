import { inspect } from "node:util";
import { currentRequest } from "./context.ts";
import { checkedHeaders, type HeaderValues, STATUS_CODES } from "./http/node-http.ts";
import type { Logger } from "./logging.ts";

/** Every error code that is sent, and its status. */
export const ERROR_STATUS = {
  VALIDATION_ERROR: 400,
  AUTH_ERROR: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  EXPECTATION_FAILED: 417,
  RATE_LIMITED: 429,
  HEADERS_TOO_LARGE: 431,
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
  headers?: HeaderValues;
  /** Another status than the code's own, such as 410 for NOT_FOUND. */
  status?: number;
}

/** An error that the caller is told about: throw it anywhere below a route. Its message is sent. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: ErrorDetail[] | undefined;
  readonly headers: HeaderValues;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.status = options.status ?? ERROR_STATUS[code];
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

/** What an error must have to be answered; an AppError has it. */
export type ErrorParts = Pick<AppError, "code" | "message"> & Partial<Pick<AppError, "details">>;

/** The error body of the standard. @param requestId that of the current request when left out. */
export function errorBody(
  { code, message, details }: ErrorParts,
  requestId: string = currentRequest()?.requestId ?? "",
): ErrorBody {
  const timestamp = new Date().toISOString();
  const error = { code, message, request_id: requestId, timestamp };
  return { error: details === undefined ? error : { ...error, details } };
}

/** The same as JSON text, for answers that no route makes. */
export function errorText(code: ErrorCode, message: string, requestId?: string): string {
  return JSON.stringify(errorBody({ code, message }, requestId));
}

const MESSAGE_CHARS = 500;

/**
 * The answer for anything thrown. A 4xx or 5xx in `statusCode` or `status` is kept, as Fastify, Express and http-errors
 * use them; else the status that was `given` before it was thrown. Of a 4xx of its own the caller sees the message too.
 * Everything else gives nothing away.
 */
export function toAppError(thrown: unknown, given?: number): AppError {
  if (thrown instanceof AppError) return thrown;
  const { statusCode, status, expose, message, headers } = Object(thrown) as HttpError;
  const own = [statusCode, status].find(isErrorStatus);
  const found = own ?? (isErrorStatus(given) ? given : 500);
  if (found === 500) {
    return new AppError("INTERNAL_ERROR", "An internal error occurred", { cause: thrown });
  }
  const isTold =
    own !== undefined &&
    found < 500 &&
    expose !== false &&
    typeof message === "string" &&
    message !== "";
  const text = isTold ? message.slice(0, MESSAGE_CHARS) : (STATUS_CODES[found] ?? "Error");
  const options = { cause: thrown, status: found };
  try {
    return new AppError(codeOf(found), text, { ...options, headers: { ...headers } });
  } catch {
    // Headers that cannot be sent.
    return new AppError(codeOf(found), text, options);
  }
}

type HttpError = Record<string, unknown> & { headers?: HeaderValues };

function isErrorStatus(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599;
}

const CODES = new Map<number, ErrorCode>(
  Object.entries(ERROR_STATUS).map(([code, status]) => [status, code as ErrorCode]),
);

/** The code of a status; of one that the table lacks, the nearest. */
function codeOf(status: number): ErrorCode {
  if (status === 410) return "NOT_FOUND";
  if (status === 504) return "EXTERNAL_SERVICE_ERROR";
  return CODES.get(status) ?? (status < 500 ? "VALIDATION_ERROR" : "INTERNAL_ERROR");
}

/** JavaScript can throw anything; logs and spans want an Error with a stack. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${inspect(thrown)}`);
}

/** Logs what a request failed with: the caller's mistakes at info, ours at error with the stack. */
export function logFailure(log: Logger, thrown: unknown, error: AppError, hasLeft: boolean): void {
  const { status, code, details } = error;
  // The client has left: the failure is not the service's.
  if (hasLeft) log.info({ error: asError(thrown) }, "the client went away");
  else if (status >= 500) log.error({ code, status, error: asError(thrown) }, "request failed");
  else log.info({ code, status, details }, `request refused: ${error.message}`);
}
