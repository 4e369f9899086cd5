import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { createLogger } from "../../src/platform/logging.ts";

const settings = { LOG_LEVEL: "info", SERVICE_NAME: "svc", ENVIRONMENT: "stage", VERSION: "1.2.3" };

// oxlint-disable-next-line typescript/no-explicit-any -- whatever JSON holds
type Line = Record<string, any>;

function writeText(log: (logger: ReturnType<typeof createLogger>) => void, own: object = {}) {
  const lines: string[] = [];
  log(createLogger({ ...settings, ...own }, { write: (line) => void lines.push(line) }));
  return lines;
}

const write = (...args: Parameters<typeof writeText>): Line[] =>
  writeText(...args).map((line) => JSON.parse(line) as Line);

test("a line has the fields of the standard", () => {
  const [line] = write((log) => log.warn({ attempt: 2 }, "trying again"));
  expect(line).toEqual({
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    level: "warn",
    message: "trying again",
    service_name: "svc",
    environment: "stage",
    version: "1.2.3",
    attempt: 2,
  });
});

const SECRETS = `
  password PASSWORD db_password passwords passwd pwd user-pwd passphrase secret client_secret token access_token
  refreshToken authorization Authorization Proxy-Authorization cookie set-cookie x-api-key apiKey API_KEY apikey
  secretAccessKey credential credentials PAGE_CURSOR_KEY private_key privateKey bearer jwt session sessionId signature
  dsn SENTRY_DSN connection_string connectionString`;

test.each(SECRETS.trim().split(/\s+/))(
  "what stands under %s is not written, however deep and whatever it is",
  (name) => {
    const values = ["hunter2", ["hunter2"], { value: "hunter2" }, 'hun"ter2'];
    const error = Object.assign(new Error("refused"), {
      [name]: "hunter2",
      request: { headers: { [name]: "hunter2" } },
    });
    class Thing {
      toJSON(): object {
        return { [name]: "hunter2", inside: { [name]: "hunter2" } };
      }
    }
    const lines = write((log) => {
      for (const value of values) log.info({ [name]: value, a: { b: { c: [{ [name]: value }] } } });
      log.error({ error }, "failed");
      log.error(error);
      log.info({ thing: new Thing(), things: [new Thing()] });
      log.info(new Thing(), "it");
      log.info("with %j and %o", { [name]: "hunter2" }, { [name]: "hunter2" });
      const child = log.child({ [name]: "hunter2" });
      child.info("from a child");
      child.child({ deep: { [name]: "hunter2" } }).info("from its child");
      child.child({ [name]: "hunter2" }, { level: "debug" }).debug("with options");
      child.setBindings({ [name]: "hunter2" });
      child.info("with more");
    });
    expect(lines).toHaveLength(values.length + 9);
    for (const line of lines) expect(JSON.stringify(line)).not.toMatch(/hun.{0,3}ter2/);
    expect(lines[0]).toMatchObject({
      level: "info",
      [name]: "[redacted]",
      a: { b: { c: [{ [name]: "[redacted]" }] } },
    });
    expect(lines[4]).toMatchObject({ error: { message: "refused", stack: expect.any(String) } });
  },
);

test("everything else is", () => {
  const fields = {
    key: "a/b.png",
    keyboard: "qwerty",
    monkey: "capuchin",
    partition_key: "p-1",
    objectKey: "a/b.png",
    total_tokens: 512,
    tokenizer: "bpe",
    session_count: 3,
    author: "me",
    message_id: "m-1",
    url: "https://example.com:8443/a@b?c=d@e",
  };
  const [line] = write((log) => log.info(fields, 'the "token": "is" new'));
  expect(line).toMatchObject({ ...fields, message: 'the "token": "is" new' });
});

test("a team adds names of its own", () => {
  const [line] = write(
    (log) =>
      log.info({ iban: "hunter2", customerIban: "hunter2", libani: "tree", taxId: "hunter2" }),
    { LOG_SECRETS: ["iban", "tax-id"] },
  );
  expect(line).toMatchObject({
    iban: "[redacted]",
    customerIban: "[redacted]",
    taxId: "[redacted]",
    libani: "tree",
  });
});

test("passwords in URLs are not written, wherever they stand", () => {
  const url = "postgres://user:hun@ter2@db.example.com:5432/orders";
  const error = new Error(`cannot connect to ${url}`, { cause: new Error(url) });
  const lines = write((log) => {
    log.info({ url, list: [url] }, `connecting to ${url}`);
    log.info("%s", url);
    log.error(error);
    log.child({ url }).info("connected");
    log.info({ text: "x".repeat(2_030) + url });
  });
  for (const line of lines) expect(JSON.stringify(line)).not.toMatch(/user|ter2/);
  expect(lines[0]!.url).toBe("postgres://[redacted]@db.example.com:5432/orders");
});

test("an SDK's error is logged by the fields that are known", () => {
  const error = Object.assign(new Error("Rate exceeded"), {
    name: "ThrottlingException",
    $fault: "client",
    $metadata: { httpStatusCode: 400, requestId: "r-1", attempts: 3, extendedRequestId: "no" },
    $response: { headers: { "x-amz-security": "no" } },
    config: { data: "no" },
    code: "Throttling",
  });
  const [line] = write((log) => log.error({ error }, "failed"));
  expect(line!.error).toEqual({
    type: "Error",
    message: "Rate exceeded",
    stack: expect.stringContaining("logging.test.ts"),
    code: "Throttling",
    $fault: "client",
    httpStatusCode: 400,
    requestId: "r-1",
    attempts: 3,
  });
});

test("causes and the errors of an aggregate are logged", () => {
  // Short stacks: a line has only so much room, and folders may have long names.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 2;
  const cause = new Error("socket closed", { cause: new TypeError("bad address") });
  const [line] = write((log) =>
    log.error(new AggregateError([new Error("first"), new Error("second")], "all", { cause })),
  );
  expect(line).toMatchObject({
    message: "all",
    error: { type: "AggregateError", errors: [{ message: "first" }, { message: "second" }] },
  });
  expect(line!.error.stack).toMatch(/caused by: .*socket closed[^]*caused by: .*bad address/);
  Error.stackTraceLimit = limit;
});

/** Anything a caller may have chosen. */
const LARGE: Record<string, (log: ReturnType<typeof createLogger>) => void> = {
  "a text": (log) => log.info({ note: "token".repeat(40_000) }),
  "a name": (log) => log.info({ ["secret".repeat(40_000)]: 1 }),
  "a message": (log) => log.info("password".repeat(40_000)),
  "what a message is made from": (log) =>
    log.info("x %s %j", "y".repeat(9_999), { a: "z".repeat(9_999) }),
  "a text in another script": (log) =>
    log.info({ note: "é".repeat(9_999), more: "漢".repeat(9_999) }),
  "control characters": (log) => log.info({ note: "\u0001".repeat(9_999) }, "\u009b".repeat(9_999)),
  "many fields": (log) =>
    log.info(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`token${i}`, i]))),
  "a long list": (log) => log.info({ list: Array.from({ length: 100_000 }, () => ({ a: 1 })) }),
  "a deep object": (log) => {
    let deep: object = {};
    for (let depth = 0; depth < 100_000; depth += 1) deep = { deep };
    log.info({ deep });
  },
  "a child's fields": (log) =>
    log
      .child({ a: "x".repeat(9_999) })
      .child({ b: "y".repeat(9_999), c: ["z".repeat(9_999)] })
      .info("x"),
  URLs: (log) => log.info({ note: "://a@".repeat(40_000), more: "a://".repeat(40_000) }),
  "many middling texts": (log) =>
    log.info(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, "x".repeat(200)]))),
  bytes: (log) => log.info({ bytes: Buffer.alloc(1_000_000), list: new Uint32Array(10_000) }),
};

test.each(Object.entries(LARGE))("%s cannot make a line longer than 4 kB", (_what, log) => {
  const [line] = writeText(log);
  expect(Buffer.byteLength(line!)).toBeLessThanOrEqual(4_096);
  expect(JSON.parse(line!)).toMatchObject({ level: "info", service_name: "svc" });
});

test("an error's stack may be longer, up to 16 kB", () => {
  for (const text of ["x", "é", "\u0001", "token"]) {
    const error = Object.assign(new Error(text.repeat(1_100_000)), { code: text.repeat(9_999) });
    const lines = writeText((log) => {
      log.error(error);
      log.error({ error, note: text.repeat(9_999) }, "failed");
      log.error({ result: { error } }, "nested");
      log.error(
        new AggregateError(
          Array.from({ length: 100 }, () => error),
          "all",
        ),
      );
    });
    for (const line of lines) {
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4_096 + 16_384);
      expect(JSON.parse(line)).toMatchObject({ level: "error", message: expect.any(String) });
    }
    expect(JSON.parse(lines[0]!).error.stack.length).toBeGreaterThan(1_000);
  }
});

test("an error is logged however much is logged with it", () => {
  const fields = Object.fromEntries(
    Array.from("abcdefgh").map((name) => [name, "x".repeat(9_999)]),
  );
  const lines = writeText((log) => {
    log.error({ ...fields, error: new Error("broken") }, "failed");
    log.child(fields).error(new Error("broken"));
  });
  for (const line of lines) {
    expect(JSON.parse(line).error).toMatchObject({ type: "Error", stack: expect.any(String) });
  }
});

test("objects that are hard to read do no harm", () => {
  const circular: Line = {};
  circular.self = circular;
  const [line] = write((log) =>
    log.info({
      circular,
      get thrower() {
        throw new Error("no");
      },
      json: {
        toJSON() {
          throw new Error("no");
        },
      },
      big: 10n,
      date: new Date(0),
      nothing: null,
      bare: Object.create(null),
      output: process.stdout,
      request: { raw: new IncomingMessage(new Socket()), id: 7 },
      polluted: JSON.parse('{"__proto__": {"admin": true}}'),
      invalid: new Date(Number.NaN),
    }),
  );
  expect(line).toMatchObject({
    thrower: "[cannot be read]",
    json: "[cannot be read]",
    big: "10",
    date: "1970-01-01T00:00:00.000Z",
    nothing: null,
    bare: {},
    output: expect.stringMatching(/^\[\w+\]$/),
    request: { raw: "[IncomingMessage]", id: 7 },
    invalid: null,
  });
  expect(({} as Line).admin).toBeUndefined();
});

test("no control character is left that a terminal would obey", () => {
  const hostile = "a\u001b[2J\u009b31m\u0085\u202e\u2066b\u007f";
  const lines = writeText((log) => {
    log.info({ [hostile]: hostile }, hostile);
    log.child({ hostile }).info("x".repeat(5_000) + hostile);
  });
  for (const line of lines) {
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    expect(line.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  }
  expect(JSON.parse(lines[0]!)).toMatchObject({ message: hostile, [hostile]: hostile });
});

test("lines below the level are left out", () => {
  expect(write((log) => log.debug("hidden"))).toEqual([]);
});
