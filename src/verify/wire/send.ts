import { Closed, withConnection } from "./connection.ts";
import type { WireResponse } from "./response.ts";

export type HeaderList = readonly (readonly [string, string | Buffer])[];

/** A request in parts. Nothing in it is changed or escaped on its way out. */
export interface RequestParts {
  method?: string;
  /** The request target, as it goes on the wire. */
  path?: string;
  headers?: Record<string, string | Buffer> | HeaderList;
  /** Sent with its length, unless the headers say how it is framed. */
  body?: string | Uint8Array;
  /** A body to send as JSON. */
  json?: unknown;
  /** Leave the connection open. */
  keepAlive?: boolean;
}

/** Sends one request over a connection of its own. */
export function send(url: string, parts: RequestParts | string = {}): Promise<WireResponse> {
  const request = typeof parts === "string" ? { path: parts } : parts;
  return withConnection(url, (connection) => {
    connection.write(formatRequest(url, request));
    return connection.read(nameOf(request), request.method);
  });
}

/**
 * Sends bytes that may not be a request at all.
 * @returns the first answer, or undefined when the service closed the connection without one.
 */
export async function provoke(
  url: string,
  bytes: string | Uint8Array,
  method?: string,
): Promise<WireResponse | undefined> {
  try {
    return await withConnection(url, (connection) => {
      connection.write(bytes);
      return connection.read(nameOfBytes(bytes), method);
    });
  } catch (error) {
    if (error instanceof Closed) return undefined;
    throw error;
  }
}

/** The bytes of a request. */
export function formatRequest(url: string, parts: RequestParts): Buffer {
  const { method = "GET", path = "/" } = parts;
  const body = parts.json === undefined ? parts.body : JSON.stringify(parts.json);
  const given: HeaderList = isList(parts.headers)
    ? parts.headers
    : Object.entries(parts.headers ?? {});
  const has = (name: string): boolean => given.some(([key]) => key.toLowerCase() === name);
  const headers: [string, string | Buffer][] = [];
  if (!has("host")) headers.push(["Host", new URL(url).host]);
  if (!has("connection")) headers.push(["Connection", parts.keepAlive ? "keep-alive" : "close"]);
  if (parts.json !== undefined && !has("content-type")) {
    headers.push(["Content-Type", "application/json"]);
  }
  if (body !== undefined && !has("content-length") && !has("transfer-encoding")) {
    headers.push(["Content-Length", String(Buffer.byteLength(body))]);
  }
  return Buffer.concat([
    Buffer.from(`${method} ${path} HTTP/1.1\r\n`),
    ...[...headers, ...given].flatMap(([name, value]) => [
      Buffer.from(`${name}: `),
      Buffer.from(value),
      Buffer.from("\r\n"),
    ]),
    Buffer.from("\r\n"),
    Buffer.from(body ?? ""),
  ]);
}

/** The body of a request in chunks. */
export function chunked(...chunks: string[]): string {
  return [...chunks, ""].map((text) => `${sizeOf(text)}\r\n${text}\r\n`).join("");
}

function sizeOf(text: string): string {
  return Buffer.byteLength(text).toString(16);
}

function isList(headers: RequestParts["headers"]): headers is HeaderList {
  return Array.isArray(headers);
}

function nameOf({ method = "GET", path = "/", headers, body, json }: RequestParts): string {
  const list = isList(headers) ? headers : Object.entries(headers ?? {});
  const extra = list.map(([name, value]) => ` ${name}: ${value.toString()}`).join("");
  const content = json === undefined ? body : JSON.stringify(json);
  const text = content === undefined ? "" : ` ${Buffer.from(content).toString()}`;
  return shorten(`${method} ${path}${extra}${text}`);
}

function nameOfBytes(bytes: string | Uint8Array): string {
  return shorten(JSON.stringify(Buffer.from(bytes).toString("latin1")));
}

function shorten(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 160)}…`;
}
