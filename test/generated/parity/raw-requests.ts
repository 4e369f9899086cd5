/** A request as it goes over the wire. */
export interface RawRequest {
  title: string;
  /** Sent one after the other, each in a packet of its own. */
  chunks: (string | Buffer)[];
  /** The client leaves without waiting for an answer. */
  aborted?: boolean;
}

const HOST = "Host: service.example\r\n";
const LIMIT = 1_048_576;
const CHUNKED = "2\r\n{}\r\n0\r\n\r\n";

interface Parts {
  headers?: string[];
  body?: string | Buffer;
  /** What Content-Length says; without it the truth, unless the headers say how long the body is. */
  length?: number;
}

function raw(start: string, { headers = [], body = "", length }: Parts = {}): Buffer {
  const bytes = Buffer.from(body);
  const measured = headers.some((header) => /^(?:content-length|transfer-encoding):/i.test(header));
  const size = length ?? (measured || bytes.length === 0 ? undefined : bytes.length);
  const lines = [
    ...headers,
    ...(size === undefined ? [] : [`Content-Length: ${size}`]),
    "Connection: close",
  ];
  return Buffer.concat([
    Buffer.from(`${start} HTTP/1.1\r\n${HOST}${lines.join("\r\n")}\r\n\r\n`, "latin1"),
    bytes,
  ]);
}

const get = (target: string, headers: string[] = []): RawRequest => ({
  title: `GET ${target.slice(0, 60)}${headers.length > 0 ? ` ${headers.join(", ").slice(0, 60)}` : ""}`,
  chunks: [raw(`GET ${target}`, { headers })],
});

const method = (start: string, parts: Parts = {}): RawRequest => ({
  title: `${start}${parts.body ? ` ${String(parts.body).slice(0, 40)}` : ""} ${parts.headers?.join(", ") ?? ""}`,
  chunks: [raw(start, parts)],
});

const JSON_TYPE = "Content-Type: application/json";
const post = (body: string | Buffer, type = JSON_TYPE, more: Parts = {}): RawRequest => ({
  title: `POST ${body.length > 80 ? `${body.length} bytes` : JSON.stringify(String(body))} ${type}`,
  chunks: [raw("POST /echo/1", { body, ...more, headers: [type, ...(more.headers ?? [])] })],
});

const RECEIPT = JSON.stringify({
  retailer: "M&M Corner Market",
  purchaseDate: "2022-03-20",
  purchaseTime: "14:33",
  items: [{ shortDescription: "Gatorade", price: "2.25" }],
  total: "9.00",
});

const routes = [
  ...["/health", "/health/ready", "/health/version", "/docs", "/redoc", "/openapi.json"],
  ...["/docs/swagger-ui.css", "/api/v1/receipts/rules", "/nothing", "/big", "/breaks"],
];

const thrown = [
  ...["error", "string", "nothing", "null", "zero", "symbol", "bare", "status"],
  ...["route", "router", "conflict", "header"],
];

const paths = [
  ...[
    "/",
    "",
    "/nowhere",
    "/health/",
    "//health",
    "/Health",
    "/health%2F",
    "/%68ealth",
    "/health#x",
  ],
  ...[
    "/health#a?b=1",
    "/health;v=1",
    "/health/../health",
    "/./health",
    "/health%00",
    "/health?",
    "/?",
  ],
  ...[
    "*",
    "http://other.example/health",
    "http://other.example",
    "HTTP://other.example/items/1?a=b",
  ],
  ...["http://other.example?x=1", "http://other.example/health#x", "ftp://other.example/health"],
  ...["http:///health", "http://other.example/nowhere", "http://[::1/health", "/http://x/health"],
  ...[
    "/%",
    "/%zz",
    "/items/%E0%A4%A",
    "/items/%C3%28",
    "/items/%ff",
    "/nowhere/%ff",
    "/health?x=%ff",
  ],
].map((target) => get(target));

const parameters = [
  ...[
    "a%20b",
    "a+b",
    "caf%C3%A9",
    "caf\u00e9",
    "a%2Fb",
    "a%2fb",
    "a%252Fb",
    "%25",
    "%2525",
    "a%5Cb",
  ],
  ...[
    "a\\b",
    "a%20\\b",
    "a%3Fb",
    "a%23b",
    "a;b",
    "a:b",
    "a@b",
    "a,b",
    "a=b",
    "a&b",
    "a$b",
    "(a)",
    "a*b",
  ],
  ...[
    "a!b'c",
    '"a"',
    "<a>",
    "{id}",
    "[a]",
    "a|b",
    "a^b",
    "a`b",
    "%7Eb",
    "~b",
    "..",
    "%2e%2e",
    "a%0Ab",
  ],
  ...[
    "\u00a0",
    "a\u00a0\\b",
    "a%A0",
    "%C2%A0",
    "__proto__",
    "constructor",
    "%00",
    "a//b",
    "",
    "/",
    "fixed",
  ],
  ...["fixed/", "fixed/x", "a/b", "a/b/", "a/b/c", "fixe%64", "fixed%2Fx", "FIXED", "%F0%9F%98%80"],
  ...[
    "x".repeat(1_024),
    "x".repeat(1_025),
    "%41".repeat(1_024),
    "%2F".repeat(1_024),
    "%2F".repeat(1_025),
  ],
].map((value) => get(`/items/${value}`));

const queries = [
  ...[
    "a=1",
    "a=1&a=2&a=3",
    "a",
    "a=",
    "=a",
    "=",
    "&&",
    "a=1&&b=2",
    "a[b]=1",
    "a[]=1&a[]=2",
    "a.b=1",
  ],
  ...[
    "a=b=c",
    "a=%20+x",
    "a+b=1",
    "a%20b=1",
    "a=%zz",
    "a=%E0%A4%A",
    "%zz=1",
    "a=%00",
    "a=caf%C3%A9",
  ],
  ...[
    "__proto__=1",
    "__proto__[x]=1",
    "constructor=1",
    "a[__proto__][x]=1",
    "toString=1&toString=2",
  ],
  ...[
    "a=1#b",
    "a=1?b=2",
    "?a=1",
    "a=1;b=2",
    "a=\u00e9",
    "a=\u00a0",
    "hasOwnProperty=1",
    "a=%2B%26%3D",
  ],
  Array.from({ length: 1_500 }, (_, index) => `k${index}=${index}`).join("&"),
  Array.from({ length: 1_500 }, () => "a=1").join("&"),
].map((query) => get(`/items/1?${query}`));

const methods = [
  ...routes.map((path) => method(`HEAD ${path}`)),
  ...["HEAD /nowhere", "HEAD /echo/1", "HEAD /api/v1/receipts/points", "HEAD /items/1?a=1"].map(
    (start) => method(start),
  ),
  ...[
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "QUERY",
    "LOCK",
    "FOO",
    "get",
  ].flatMap((name) =>
    ["/health", "/items/1", "/items/fixed", "/nowhere"].map((path) => method(`${name} ${path}`)),
  ),
  method("OPTIONS *"),
  // What a router would take for a pattern.
  method("POST /*x"),
  method("PUT /items/*/:a"),
  method("PUT /items/:id"),
  method("POST /items/:id(^(("),
  method("PUT /items/%66ixed"),
  method("OPTIONS /health", {
    headers: ["Origin: https://a.example", "Access-Control-Request-Method: GET"],
  }),
  method("GET /health", { headers: [JSON_TYPE], body: "{" }),
  method("HEAD /health", { headers: [JSON_TYPE], body: "{}" }),
  // A body that nobody reads, where there is no such route or method.
  ...[
    "POST /nowhere",
    "PUT /health",
    "DELETE /nowhere",
    "QUERY /nowhere",
    "PATCH /api/v1/receipts/points",
  ].flatMap((start) => [
    method(start, { headers: [JSON_TYPE], body: "{" }),
    method(start, { headers: [JSON_TYPE], body: "{}" }),
    method(start, { headers: ["Content-Type: text/plain"], body: "x" }),
    method(start, { headers: [JSON_TYPE], body: `"${"x".repeat(LIMIT)}"` }),
  ]),
];

const json = [
  ...["{}", "[]", "null", "0", "false", '""', '"text"', "1e999", "-0", "12345678901234567890"],
  ...[
    "{",
    "}",
    "{]",
    "undefined",
    "NaN",
    "'a'",
    "{a:1}",
    '{"a":1,}',
    "[1,]",
    "//x",
    "{} x",
    " {} ",
    "\u0000",
  ],
  ...[
    '{"a":1,"a":2}',
    '"\\ud800"',
    '{"__proto__":1}',
    '{"a":{"__proto__":{"x":1}}}',
    '"__proto__"',
  ],
  ...['{"constructor":{"prototype":{"x":1}}}', '{"constructor":1}', '{"constructor":{"a":1}}'],
  ...['{"\\u005f_proto__":1}', '{"prototype":1}', '["__proto__"]', '{"a":"\\"__proto__\\":1"}'],
  ...[
    "\ufeff{}",
    "\ufeff",
    " ",
    "\n",
    '{"a":"\u00e9\u{1f600}"}',
    "x",
    `${"[".repeat(5_000)}${"]".repeat(5_000)}`,
  ],
].map((body) => post(body));

const types = [
  ...[
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    "application/json; charset=latin1",
  ],
  ...[
    "application/json; charset=utf-16",
    "APPLICATION/JSON",
    "application/json;",
    "application/json ; x=y",
  ],
  ...[
    'application/json; charset="utf-8"',
    "application/json, text/plain",
    "application/jsonx",
    "text/json",
  ],
  ...[
    "application/problem+json",
    "application/vnd.api+json",
    "text/plain",
    "text/html",
    "///",
    "json",
    "",
  ],
  ...[
    "application /json",
    "application/ json",
    "application/x-www-form-urlencoded",
    "undefined",
    "*/*",
  ],
  ...["multipart/form-data; boundary=x", "application/octet-stream", "application/json\u00e9"],
].map((type) => post('{"a":"\u00e9"}', `Content-Type: ${type}`));

const bodies: RawRequest[] = [
  post("", JSON_TYPE, { length: 0 }),
  post("", "Content-Type: text/plain", { length: 0 }),
  post("", JSON_TYPE),
  post("{}", "X-No-Type: 1"),
  post("", "X-No-Type: 1", { length: 0 }),
  post(Buffer.from([0x22, 0xff, 0xfe, 0x22])),
  post(Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00])),
  post('"\u00e9"', JSON_TYPE, { headers: ["Content-Encoding: gzip"] }),
  post("{}", JSON_TYPE, { headers: ["Content-Encoding: identity"] }),
  post(
    Buffer.from("1f8b0800000000000003ab56ca484d5452b2320400d0e8c6d00a000000", "hex"),
    JSON_TYPE,
    { headers: ["Content-Encoding: gzip"] },
  ),
  post(`"${"x".repeat(LIMIT - 2)}"`),
  post(`"${"x".repeat(LIMIT - 1)}"`),
  post(" ".repeat(LIMIT), "Content-Type: text/plain"),
  post("{}", JSON_TYPE, { headers: ["Expect: 100-continue"] }),
  post("{}", JSON_TYPE, { headers: ["Expect: nonsense"] }),
  post("{}", JSON_TYPE, { headers: ["Content-Type: text/plain"] }),
  post("{}", JSON_TYPE, { headers: ["Upgrade: websocket"] }),
  post("{}", JSON_TYPE, { length: -1 }),
  post("{}", JSON_TYPE, { headers: ["Content-Length: 3"], length: 2 }),
  post("2\r\n{}\r\n0\r\n\r\n", JSON_TYPE, {
    headers: ["Transfer-Encoding: chunked"],
  }),
  post("0\r\n\r\n", JSON_TYPE, { headers: ["Transfer-Encoding: chunked"] }),
  post("0\r\n\r\n", "X-No-Type: 1", { headers: ["Transfer-Encoding: chunked"] }),
  post("2\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n", JSON_TYPE, {
    headers: ["Transfer-Encoding: chunked"],
  }),
  post("zz\r\n", JSON_TYPE, { headers: ["Transfer-Encoding: chunked"] }),
  post("2\r\n{}\r\n0\r\n\r\n", JSON_TYPE, {
    headers: ["Transfer-Encoding: gzip, chunked"],
  }),
  post(`100001\r\n${"x".repeat(LIMIT + 1)}\r\n0\r\n\r\n`, JSON_TYPE, {
    headers: ["Transfer-Encoding: chunked"],
  }),
  {
    title: "a body in two packets, cut inside of a character",
    chunks: [
      raw("POST /echo/1", { headers: [JSON_TYPE, "Content-Length: 4"] }),
      Buffer.from([0x22, 0xc3]),
      Buffer.from([0xa9, 0x22]),
    ],
  },
  ...["PUT", "PATCH", "DELETE"].flatMap((name) => [
    method(`${name} /echo/1`),
    method(`${name} /echo/1`, { headers: [JSON_TYPE], body: '{"a":1}' }),
    method(`${name} /echo/1`, { headers: [JSON_TYPE], body: "{" }),
    method(`${name} /echo/1`, { headers: [JSON_TYPE], length: 0 }),
  ]),
  method("DELETE /items/1", { headers: [JSON_TYPE], body: "{" }),
  method("DELETE /items/1", { headers: ["Content-Type: text/plain"], body: "x" }),
  method("DELETE /items/1", { headers: [JSON_TYPE], length: 0 }),
  method("DELETE /items/1"),
  // Bodies for routes that declare none, and for a GET that declares one.
  ...["DELETE /items/1", "GET /items/1", "HEAD /items/1", "POST /items/fixed"].flatMap((start) => [
    method(start, { headers: [JSON_TYPE], body: "{" }),
    method(start, { headers: [JSON_TYPE, "Expect: 100-continue"], body: "{}" }),
    method(start, { headers: [JSON_TYPE, "Transfer-Encoding: chunked"], body: CHUNKED }),
    method(start, { headers: [JSON_TYPE, "Transfer-Encoding: chunked"], body: "0\r\n\r\n" }),
    method(start, { headers: [JSON_TYPE, "Transfer-Encoding: chunked"], body: "zz\r\n" }),
    method(start, { headers: ["Content-Type: ///"], body: "x".repeat(LIMIT + 1) }),
  ]),
  ...["GET /search", "HEAD /search"].flatMap((start) => [
    method(start),
    method(start, { headers: [JSON_TYPE], length: 0 }),
    method(start, { headers: [JSON_TYPE], body: '{"a":1}' }),
    method(start, { headers: [JSON_TYPE], body: "{" }),
    method(start, { headers: [JSON_TYPE, "Expect: 100-continue"], body: "{}" }),
    method(start, { headers: [JSON_TYPE, "Transfer-Encoding: chunked"], body: CHUNKED }),
    method(start, { headers: ["Content-Type: text/plain"], body: "x" }),
    method(start, { headers: [JSON_TYPE], body: `"${"x".repeat(LIMIT)}"` }),
  ]),
  method("POST /items/fixed", { headers: ["Content-Type: text/plain"], body: "x" }),
  method("POST /api/v1/receipts/points", { headers: [JSON_TYPE], body: RECEIPT }),
  method("POST /api/v1/receipts/points", { headers: [JSON_TYPE], body: "{}" }),
  method("POST /api/v1/receipts/points?x=1", { headers: [JSON_TYPE], body: "[]" }),
  method("POST /api/v1/receipts/points/", { headers: [JSON_TYPE], body: RECEIPT }),
];

const failures = [
  ...thrown.flatMap((what) => [get(`/throws/${what}`), get(`/rejects/${what}`)]),
  ...["a", "a%0Ab", "%E4%BD%A0", "%C3%A9", "a%00"].map((value) => get(`/header/${value}`)),
];

const headers = [
  ...["X-Request-ID: a b", "X-Correlation-ID: c-1", "Origin: https://a.example", "Origin: null"],
  ...[
    "If-None-Match: *",
    'If-None-Match: "x"',
    "Accept: text/html",
    "Accept-Encoding: gzip",
    "Range: bytes=0-1",
  ],
  ...[
    "X-Forwarded-For: 1.1.1.1, 2.2.2.2",
    "X-HTTP-Method-Override: DELETE",
    "Cookie: a=b",
    "TE: trailers",
  ],
  ...["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Content-Type: ///"],
].flatMap((header) => [get("/health", [header]), get("/nowhere", [header])]);

const protocol: RawRequest[] = [
  { title: "HTTP/1.0", chunks: [`GET /health HTTP/1.0\r\n\r\n`] },
  { title: "HTTP/1.0 keep-alive", chunks: [`GET /items/1 HTTP/1.0\r\nConnection: close\r\n\r\n`] },
  { title: "no host", chunks: [`GET /health HTTP/1.1\r\nConnection: close\r\n\r\n`] },
  { title: "no HTTP at all", chunks: [`hello\r\n\r\n`] },
  { title: "HTTP/2 preface", chunks: ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] },
  {
    title: "two requests in one packet",
    chunks: [`GET /health HTTP/1.1\r\n${HOST}\r\n${raw("GET /items/1").toString()}`],
  },
  {
    title: "a refused body, then another request on the same connection",
    chunks: [
      `POST /echo/1 HTTP/1.1\r\n${HOST}${JSON_TYPE}\r\nContent-Length: 1\r\n\r\n{${raw("GET /items/2").toString()}`,
    ],
  },
  {
    title: "a refused body in chunks, then another request on the same connection",
    chunks: [
      `POST /echo/1 HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
      raw("GET /items/2"),
    ],
  },
  ...["DELETE", "GET", "HEAD"].flatMap((name): RawRequest[] => [
    {
      title: `a body for ${name} that no route wants, then another request in the same packet`,
      chunks: [
        `${name} /items/1 HTTP/1.1\r\n${HOST}${JSON_TYPE}\r\nContent-Length: 1\r\n\r\n{${raw("GET /items/2").toString()}`,
      ],
    },
    {
      title: `a body in chunks for ${name} that no route wants, then another request in the same packet`,
      chunks: [
        `${name} /items/1 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${CHUNKED}${raw("GET /items/2").toString()}`,
      ],
    },
    {
      title: `a long body for ${name} that no route wants, then another request`,
      chunks: [
        `${name} /items/1 HTTP/1.1\r\n${HOST}${JSON_TYPE}\r\nContent-Length: ${LIMIT + 1}\r\n\r\n`,
        "x".repeat(LIMIT + 1),
        raw("GET /items/2"),
      ],
    },
  ]),
  {
    title: "an unread body, then another request on the same connection",
    chunks: [
      `POST /nowhere HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`,
      raw("GET /items/3"),
    ],
  },
  {
    title: "a body that is too large, then another request on the same connection",
    chunks: [
      `POST /echo/1 HTTP/1.1\r\n${HOST}${JSON_TYPE}\r\nContent-Length: ${LIMIT + 1}\r\n\r\n`,
      "x".repeat(LIMIT + 1),
      raw("GET /items/4"),
    ],
  },
];

const aborted: RawRequest[] = [
  {
    title: "a client that leaves during the upload",
    chunks: [raw("POST /echo/1", { headers: [JSON_TYPE, "Content-Length: 9"], body: "{" })],
    aborted: true,
  },
  {
    title: "a client that leaves before its body",
    chunks: [raw("POST /echo/1", { headers: [JSON_TYPE, "Content-Length: 9"] })],
    aborted: true,
  },
  {
    title: "a client that leaves during a chunked upload",
    chunks: [raw("POST /echo/1", { headers: [JSON_TYPE, "Transfer-Encoding: chunked"] }), "2\r\n{"],
    aborted: true,
  },
  { title: "a client that leaves before the answer", chunks: [raw("GET /waits")], aborted: true },
];

export const rawRequests: RawRequest[] = [
  ...routes.map((path) => get(path)),
  ...paths,
  ...parameters,
  ...queries,
  ...methods,
  ...json,
  ...types,
  ...bodies,
  ...failures,
  ...headers,
  ...protocol,
  ...aborted,
];
