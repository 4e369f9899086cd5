import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage as Message } from "node:http";

/**
 * Node's own module. An `import` of it would read all its names, and one of them loads the whole of `fetch`: a tenth of
 * a start, in every process.
 */
export const {
  createServer,
  IncomingMessage,
  ServerResponse,
  STATUS_CODES,
  validateHeaderName,
  validateHeaderValue,
} = process.getBuiltinModule("node:http");

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

const SANE_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** The caller's request id and correlation id where they are sane; a new UUID, and the request id, where not. */
export function requestIds(headers: IncomingHttpHeaders): {
  requestId: string;
  correlationId: string;
} {
  const requestId = saneId(headers["x-request-id"]) ?? randomUUID();
  return { requestId, correlationId: saneId(headers["x-correlation-id"]) ?? requestId };
}

function saneId(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" && SANE_ID.test(header) ? header : undefined;
}

export const ONE_HOST = "A request must have one Host header";

/** RFC 9112, 3.2. Node's own check answers without a body. */
export function hasOneHost({ rawHeaders, httpVersion }: Message): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]!.length === 4 && rawHeaders[index]!.toLowerCase() === "host") hosts += 1;
  }
  return hosts === 1 || (hosts === 0 && httpVersion !== "1.1");
}

/** Bytes of the request's body as announced, Infinity in chunks. */
export function bodyLength({ headers }: Message): number {
  return headers["transfer-encoding"] === undefined
    ? Number(headers["content-length"] ?? 0)
    : Infinity;
}

const ORIGIN = /^https?:\/\/[^/?#]+/i;
/** Characters that mean nothing in a path, which most clients encode all the same: `%3A` for a colon. RFC 3986, 3.3. */
const ENCODED = /%(?:2[1246-9A-C]|3[ABD]|40)/gi;

/**
 * The path and query of a request target, also where a proxy sent the origin before it; RFC 9112, 3.2.2. Done here,
 * because frameworks differ in what they let pass, and change their minds.
 * @returns `*` as it is, and undefined for what is not a target.
 */
export function originForm(target: string): string | undefined {
  if (target.startsWith("/")) return target.includes("%") ? plainPath(target) : target;
  if (target === "*") return target;
  if (!ORIGIN.test(target) || target.includes("#") || !URL.canParse(target)) return undefined;
  const path = target.replace(ORIGIN, "");
  return plainPath(path.startsWith("/") ? path : `/${path}`);
}

/** A target whose path is written as routes are: routers compare text. */
function plainPath(target: string): string {
  const path = pathOf(target);
  return path.replaceAll(ENCODED, decodeURIComponent) + target.slice(path.length);
}

export function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query === -1 ? target : target.slice(0, query);
}
