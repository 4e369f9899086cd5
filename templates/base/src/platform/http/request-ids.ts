import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

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
