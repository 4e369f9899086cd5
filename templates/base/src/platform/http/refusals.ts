import { AppError } from "../errors.ts";

/** Larger bodies are refused, unless a route says otherwise. */
export const BODY_LIMIT_BYTES = 1_048_576;

/** A longer path parameter matches no route. */
export const MAX_PARAM_LENGTH = 1_024;

/** What a handler may have said of its body before it failed: none of it is true of the error's. */
export const BODY_HEADERS = [
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-range",
  "content-type",
  "etag",
  "last-modified",
] as const;

/** What @fastify/cors and cors are told: the settings' origins, and the headers that callers may read. */
export function corsOptions(settings: { CORS_ORIGINS: string[]; CORS_CREDENTIALS: boolean }) {
  const { CORS_ORIGINS: origins, CORS_CREDENTIALS: credentials } = settings;
  return {
    origin: origins.includes("*") ? "*" : origins,
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    exposedHeaders: "X-Request-ID, X-Correlation-ID",
    credentials,
    maxAge: 600,
    // Its refusal would be text, and no error body of the standard.
    strictPreflight: false,
    optionsSuccessStatus: 204,
  };
}

export function bodyTooLarge(limit = BODY_LIMIT_BYTES): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `The body is larger than ${limit} bytes`);
}

export function bodyNotJson(): AppError {
  return bodyOfOtherType(["application/json"]);
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

// The parsers of forms give their errors no status, and no code either.
const FORM =
  /^(?:Multipart: Boundary not found|Malformed (?:content type|part header|urlencoded form)|Missing Content-Type|.*[Uu]nexpected end of (?:form|file|multipart data))$/;

/** The 400 for a form that busboy or multer could not read; undefined for any other error. */
export function formMalformed(thrown: unknown): AppError | undefined {
  const isForm =
    thrown instanceof Error && thrown.message.length < 200 && FORM.test(thrown.message);
  if (!isForm) return undefined;
  return new AppError("VALIDATION_ERROR", "The form is not valid", { cause: thrown });
}

export function notFound(): AppError {
  return new AppError("NOT_FOUND", "The requested resource does not exist");
}

/** 405 with the methods that a path has, or 404 when it has none. */
export function notFoundOr405(method: string, methods: Iterable<string>): AppError {
  const allow = new Set(methods);
  if (allow.has("GET")) allow.add("HEAD");
  // A method that is allowed: then it was the path, by a parameter that is too long.
  if (allow.size === 0 || allow.has(method)) return notFound();
  return new AppError("METHOD_NOT_ALLOWED", "The method is not allowed for this resource", {
    headers: { Allow: [...allow].toSorted().join(", ") },
  });
}
