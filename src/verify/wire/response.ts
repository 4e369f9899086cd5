import { Violation } from "../check.ts";

/** A response exactly as it came over the wire. */
export class WireResponse {
  /** What was asked, for reports. */
  readonly request: string;
  readonly status: number;
  /** In order, names in lower case, values as sent. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;

  constructor(request: string, status: number, headers: [string, string][], body: Buffer) {
    this.request = request;
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** Every value of one header. */
  all(name: string): string[] {
    return this.headers.filter(([key]) => key === name).map(([, value]) => value);
  }

  /** The value of a header that may be there once. @throws {Violation} when it is there twice. */
  header(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) {
      throw new Violation(`${this.request}: two headers ${name}: ${values.join(", ")}`);
    }
    return values[0];
  }

  get text(): string {
    return this.body.toString("utf8");
  }

  /** @throws {Violation} when the body is not JSON. */
  json(): unknown {
    try {
      return JSON.parse(this.text);
    } catch {
      throw new Violation(
        `${this.request}: the body of ${this.status} is not JSON: ${JSON.stringify(this.text.slice(0, 200))}`,
      );
    }
  }
}

interface Parsed {
  response: WireResponse;
  /** Bytes that it took. */
  length: number;
}

/**
 * The first response in `bytes`, or undefined while it is not whole.
 * @param ended whether the peer has closed the connection.
 * @throws {Violation} when what came is no HTTP response.
 */
export function parseResponse(
  bytes: Buffer,
  request: string,
  method: string,
  ended: boolean,
): Parsed | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const match = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/.exec(statusLine);
  if (!match) {
    throw new Violation(`${request}: not an HTTP response: ${JSON.stringify(statusLine)}`);
  }
  const status = Number(match[1]);
  const headers = lines.map((line) => parseHeader(line, request));
  const start = headEnd + 4;
  const body = parseBody(bytes.subarray(start), { request, status, method, headers, ended });
  if (!body) return undefined;
  return {
    response: new WireResponse(request, status, headers, body.content),
    length: start + body.length,
  };
}

function parseHeader(line: string, request: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon < 1) throw new Violation(`${request}: not a header line: ${JSON.stringify(line)}`);
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

interface Framing {
  request: string;
  status: number;
  method: string;
  headers: [string, string][];
  ended: boolean;
}

interface Body {
  content: Buffer;
  length: number;
}

function parseBody(bytes: Buffer, framing: Framing): Body | undefined {
  const { request, status, method, headers, ended } = framing;
  const valueOf = (name: string): string | undefined =>
    headers.find(([key]) => key === name)?.[1].toLowerCase();
  const hasNone = method === "HEAD" || status < 200 || status === 204 || status === 304;
  if (hasNone) return { content: Buffer.alloc(0), length: 0 };
  if (valueOf("transfer-encoding")?.includes("chunked")) return parseChunks(bytes, request);
  const announced = valueOf("content-length");
  if (announced === undefined) {
    return ended ? { content: bytes, length: bytes.length } : undefined;
  }
  const length = parseSize(announced, /^\d+$/, 10, request);
  return bytes.length < length ? undefined : { content: bytes.subarray(0, length), length };
}

/** @throws {Violation} when it is not the size of a body: with that, nobody would find the body's end. */
function parseSize(text: string, digits: RegExp, radix: number, request: string): number {
  if (digits.test(text)) return Number.parseInt(text, radix);
  throw new Violation(`${request}: not the size of a body: ${JSON.stringify(text)}`);
}

function parseChunks(bytes: Buffer, request: string): Body | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const line = bytes.toString("latin1", at, lineEnd);
    const size = parseSize(line, /^[\da-f]+\s*(;.*)?$/i, 16, request);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    at = next;
    if (size === 0) return { content: Buffer.concat(parts), length: at };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
  }
}
