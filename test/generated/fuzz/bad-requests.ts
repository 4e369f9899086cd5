import fc from "fast-check";

/** What a client sends over one connection, in pieces. */
export type BadRequest = Buffer[];

const PATHS = [
  "/health",
  "/health/ready",
  "/docs",
  "/openapi.json",
  "/api/v1/receipts/points",
  "/api/v1/receipts/rules",
  "/items/1",
  "/items/fixed/2",
  "/search",
  "/echo/1",
];

const odd = fc.constantFrom(
  ..."%00 %2e%2e %2F %ff %c0%af %E0%A4%A .. . // \\ ; ? # & = [] {} $ * @ é \u202E".split(" "),
  "\u0000",
  " ",
  "\t",
  "\u0080",
  "%",
  "a".repeat(1_100),
  "/".repeat(300),
  "../".repeat(100),
  "a[b]".repeat(50),
  "&a=1".repeat(2_000),
);
const target = fc.oneof(
  fc.constantFrom(...PATHS),
  fc
    .tuple(
      fc.constantFrom(...PATHS),
      fc.constantFrom("", "/", "?"),
      fc.array(odd, { maxLength: 4 }),
    )
    .map((parts) => parts.flat().join("")),
  fc.constantFrom("*", "", "//", "http://other.example/health", "a:1", "/?__proto__[a]=1"),
  fc.string().map((text) => `/${text}`),
);
const method = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("GET", "POST", "POST", "PUT", "DELETE", "HEAD") },
  { weight: 1, arbitrary: fc.constantFrom("OPTIONS", "PATCH", "TRACE", "CONNECT", "PRI", "get") },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
);
const long = fc
  .record({ text: fc.string({ minLength: 1, maxLength: 5 }), times: fc.nat(2_000) })
  .map(({ text, times }) => text.repeat(times));
const name = fc.oneof(
  fc.constantFrom("Content-Type", "Content-Encoding", "Accept", "Origin", "Cookie", "Range"),
  fc.constantFrom("X-Request-ID", "X-Correlation-ID", "traceparent", "baggage", "Expect"),
  fc.constantFrom("X-Forwarded-For", "If-None-Match", "Upgrade", "Connection", "Trailer"),
  fc.constantFrom("__proto__", "Access-Control-Request-Method", "X-HTTP-Method-Override", " Host"),
  fc.string({ maxLength: 12 }),
);
const value = fc.oneof(
  fc.constantFrom("application/json", "text/plain", "application/json; charset=utf-16", "gzip"),
  fc.constantFrom("100-continue", "websocket", "close", "bytes=0-,9-", "*/*", "00-0-0-01"),
  fc.string(),
  long,
);
const header = fc.tuple(name, value).map((parts) => parts.join(": "));
const framing = fc.constantFrom(
  "Content-Length: 0",
  "Content-Length: 5",
  "Content-Length: 1048577",
  "Content-Length: -1",
  "Content-Length: 1e3",
  "Content-Length: 5\r\nContent-Length: 6",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: xchunked\r\nContent-Length: 5",
  "Transfer-Encoding : chunked",
);
const receipt = fc.record(
  {
    retailer: fc.oneof(fc.string(), fc.jsonValue()),
    purchaseDate: fc.oneof(fc.constant("2022-01-01"), fc.string()),
    purchaseTime: fc.oneof(fc.constant("13:01"), fc.string()),
    items: fc.oneof(
      fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }), { maxLength: 4 }),
      fc.nat(300_000).map((count) => Array.from({ length: count }, () => ({}))),
    ),
    total: fc.oneof(fc.constantFrom("1.00", "9".repeat(400)), fc.jsonValue()),
    token: fc.constant("token".repeat(30_000)),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  { weight: 3, arbitrary: receipt.map((fields) => Buffer.from(JSON.stringify(fields))) },
  { weight: 3, arbitrary: fc.json().map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("[", '{"a":', "1,", '"\\u0000'), fc.nat(100_000))
      .map(([text, times]) => Buffer.from(text.repeat(times))),
  },
  {
    weight: 1,
    arbitrary: fc.nat(5_000).map((count) => Buffer.from(`${"1\r\nx\r\n".repeat(count)}0\r\n\r\n`)),
  },
);
const whole = fc
  .record({
    method,
    target,
    version: fc.oneof(
      { weight: 8, arbitrary: fc.constant("HTTP/1.1") },
      { weight: 1, arbitrary: fc.constantFrom("HTTP/1.0", "HTTP/2.0", "HTTP/9", "") },
    ),
    host: fc.oneof(
      { weight: 8, arbitrary: fc.constant(["Host: a.example"]) },
      { weight: 1, arbitrary: fc.constantFrom([], ["Host: a", "Host: b"], ["Host:"]) },
    ),
    type: fc.constantFrom([], ["Content-Type: application/json"]),
    headers: fc.array(header, { maxLength: 3 }),
    framing: fc.option(framing, { freq: 3 }),
    body: fc.option(body),
  })
  .map((given): Buffer => {
    const length = given.body === null ? [] : [`Content-Length: ${given.body.length}`];
    const lines = [
      `${given.method} ${given.target} ${given.version}`,
      ...given.host,
      ...given.type,
      ...given.headers,
      ...(given.framing === null ? length : [given.framing]),
    ];
    const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    return Buffer.concat([head, given.body ?? Buffer.alloc(0)]);
  });
/** Cut off, or with a byte changed, or with something put in. */
const damage = fc.oneof(
  { weight: 4, arbitrary: fc.constant((bytes: Buffer) => bytes) },
  { weight: 1, arbitrary: fc.nat(400).map((at) => (bytes: Buffer) => bytes.subarray(0, at)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(300), fc.nat(255)).map(([at, byte]) => (bytes: Buffer) => {
      const changed = Buffer.from(bytes);
      if (at < changed.length) changed[at] = byte;
      return changed;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(300), fc.constantFrom("\r\n", "\n", "\u0000", ": ", "\r\n\r\n")).map(
      ([at, text]) =>
        (bytes: Buffer) =>
          Buffer.concat([bytes.subarray(0, at), Buffer.from(text), bytes.subarray(at)]),
    ),
  },
);

/** Mostly one request, at times several in a row, and the last of them damaged at times. */
const connection = fc
  .record({
    requests: fc.oneof(
      { weight: 5, arbitrary: fc.array(whole, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(whole, { minLength: 2, maxLength: 5 }) },
    ),
    change: damage,
    cut: fc.option(fc.nat(500)),
  })
  .map(({ requests, change, cut }): BadRequest => {
    const bytes = change(Buffer.concat(requests));
    return cut === null ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)];
  });

/** The same ones for the same seed. */
export function badRequests(seed: number, count: number): BadRequest[] {
  return fc.sample(connection, { seed, numRuns: count });
}
