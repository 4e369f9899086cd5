import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { answerProtocolErrors } from "../../src/platform/http/connections.ts";
import { createLogger } from "../../src/platform/logging.ts";

const settings = { LOG_LEVEL: "info", SERVICE_NAME: "svc", VERSION: "1", ENVIRONMENT: "stage" };

/** What a server answers to bytes that are no good request, and what it logs. */
async function answerTo(
  bytes: string,
  options = {},
): Promise<{ head: string; body: unknown; logs: unknown[] }> {
  const logs: unknown[] = [];
  const log = createLogger(settings, { write: (line) => void logs.push(JSON.parse(line)) });
  const server = createServer(options, (_, res) => void res.end("fine"));
  server.on(
    "clientError",
    (_, socket) => void socket.end("HTTP/1.1 418 the framework's own\r\n\r\n"),
  );
  answerProtocolErrors(server, log);
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(bytes);
  const [head = "", body = ""] = (await text(socket)).split("\r\n\r\n");
  return { head, body: JSON.parse(body), logs };
}

it.each([
  ["a malformed request line", "GET /\0 HTTP/1.1\r\n\r\n", "400 Bad Request", "VALIDATION_ERROR"],
  ["no HTTP at all", "\x16\x03\x01\x02\x00", "400 Bad Request", "VALIDATION_ERROR"],
  [
    "headers without end",
    `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${"a".repeat(20_000)}\r\n\r\n`,
    "431 Request Header Fields Too Large",
    "HEADERS_TOO_LARGE",
  ],
])("answers %s with the error body of the standard, and closes", async (_, bytes, status, code) => {
  const { head, body, logs } = await answerTo(bytes);
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status}\r\n`));
  expect(head).toContain("Connection: close");
  const id = /X-Request-ID: (\S+)/.exec(head)?.[1];
  expect(head).toContain(`X-Correlation-ID: ${id}`);
  expect(body).toEqual({
    error: {
      code,
      message: expect.any(String),
      request_id: id,
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    },
  });
  expect(logs).toMatchObject([
    {
      level: "info",
      message: expect.stringMatching(/^request refused: /),
      request_id: id,
      correlation_id: id,
      code,
      status: Number.parseInt(status, 10),
      remote_ip: "127.0.0.1",
    },
  ]);
});

it("answers a request that does not end with 408", async () => {
  const { head, body } = await answerTo("GET / HTTP/1.1\r\nHost: x\r\n", {
    headersTimeout: 50,
    requestTimeout: 50,
    connectionsCheckingInterval: 20,
  });
  expect(head).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
  expect(body).toMatchObject({ error: { code: "REQUEST_TIMEOUT" } });
});

it("says nothing of a connection on which nothing came", async () => {
  const logs: unknown[] = [];
  const log = createLogger(settings, { write: (line) => void logs.push(line) });
  const server = createServer({ headersTimeout: 50, connectionsCheckingInterval: 20 });
  answerProtocolErrors(server, log);
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  expect(await text(socket)).toBe("");
  expect(logs).toEqual([]);
});
