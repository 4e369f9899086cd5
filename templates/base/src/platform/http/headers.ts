import type { IncomingMessage } from "node:http";
import { validateHeaderName, validateHeaderValue } from "./node-http.ts";

/** Response headers by name; a list is sent as several headers of that name, as for Set-Cookie. */
export type HeaderValues = Record<string, string | string[]>;

/**
 * Checks headers where they are made, since there the stack still tells who made them.
 * @throws {TypeError} for what cannot be sent, such as a line break or a character beyond latin1.
 */
export function checkedHeaders(headers: HeaderValues = {}): HeaderValues {
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    for (const one of [value].flat()) validateHeaderValue(name, one);
  }
  return headers;
}

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

export const ONE_HOST = "A request must have one Host header";

/** RFC 9112, 3.2. Node's own check answers without a body. */
export function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]!.length === 4 && rawHeaders[index]!.toLowerCase() === "host") hosts += 1;
  }
  return hosts === 1 || (hosts === 0 && httpVersion !== "1.1");
}

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
