import { randomBytes } from "node:crypto";

import { type Check, needed } from "../check.ts";
import { expect, expectEqual, expectNoFailure, expectRefusal, expectStatus } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import { Connection, withConnection } from "../wire/connection.ts";
import { formatRequest, provoke } from "../wire/send.ts";
import { expectAlive, validBody } from "./steps.ts";

const CLOSE = "Host: a\r\nConnection: close\r\n";

/** Requests that no HTTP parser may let through; each must be refused with the error body. */
const MALFORMED: Record<string, string> = {
  "a line of nothing": "GARBAGE\r\n\r\n",
  "a method that does not exist": `BREW /health HTTP/1.1\r\n${CLOSE}\r\n`,
  "a method in lower case": `get /health HTTP/1.1\r\n${CLOSE}\r\n`,
  "a version that does not exist": `GET /health HTTP/9.9\r\n${CLOSE}\r\n`,
  "no path": `GET HTTP/1.1\r\n${CLOSE}\r\n`,
  "a space in the path": `GET /a b HTTP/1.1\r\n${CLOSE}\r\n`,
  "no Host": "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n",
  "two Hosts": `GET /health HTTP/1.1\r\nHost: b\r\n${CLOSE}\r\n`,
  "a header without a colon": `GET /health HTTP/1.1\r\n${CLOSE}nonsense\r\n\r\n`,
  "a space before the colon": `GET /health HTTP/1.1\r\n${CLOSE}X-A : b\r\n\r\n`,
  "a space in a header's name": `GET /health HTTP/1.1\r\n${CLOSE}X A: b\r\n\r\n`,
  "a header without a name": `GET /health HTTP/1.1\r\n${CLOSE}: b\r\n\r\n`,
  "a zero byte in a header": `GET /health HTTP/1.1\r\n${CLOSE}X-A: a\0b\r\n\r\n`,
  "a zero byte in the path": `GET /hea\0lth HTTP/1.1\r\n${CLOSE}\r\n`,
  "a lone CR in a header": `GET /health HTTP/1.1\r\n${CLOSE}X-A: a\rb\r\n\r\n`,
};

/** Framings that two parsers could read in two ways. The body holds a request that must never be answered. */
const SMUGGLED = "GET /health/version HTTP/1.1\r\nHost: a\r\n\r\n";
const AMBIGUOUS: Record<string, string> = {
  "Content-Length and Transfer-Encoding": `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  "Transfer-Encoding and Content-Length": `Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  "two Content-Lengths": `Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  "a list of Content-Lengths": `Content-Length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  "a Content-Length with a sign": `Content-Length: +${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  "a negative Content-Length": `Content-Length: -1\r\n\r\n${SMUGGLED}`,
  "a Content-Length that is no number": `Content-Length: 1e1\r\n\r\n${SMUGGLED}`,
  "a Content-Length in hexadecimal": `Content-Length: 0x10\r\n\r\n${SMUGGLED}`,
  "a Content-Length beyond 64 bits": `Content-Length: 99999999999999999999999\r\n\r\n${SMUGGLED}`,
  "an unknown Transfer-Encoding": `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  "chunked that is not last": `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  "chunked twice over": `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  "a space before the colon": `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  "a chunk size that is no number": `Transfer-Encoding: chunked\r\n\r\nZZ\r\n${SMUGGLED}`,
  "a negative chunk size": `Transfer-Encoding: chunked\r\n\r\n-1\r\n${SMUGGLED}`,
  "a chunk size with a prefix": `Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n${SMUGGLED}`,
  "a chunk size beyond 64 bits": `Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n${SMUGGLED}`,
  "a chunk longer than its size": `Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n${SMUGGLED}`,
};

/** Not HTTP at all. A refusal or a closed connection will do, and the service must not notice. */
const NOT_HTTP: Record<string, Buffer> = {
  "random bytes": randomBytes(4_096),
  "zero bytes": Buffer.alloc(4_096),
  "line ends": Buffer.from("\r\n".repeat(2_000)),
  "a TLS hello": Buffer.from("16030100c8010000c40303", "hex"),
  "an HTTP/2 preface": Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  "an SSH banner": Buffer.from("SSH-2.0-OpenSSH_9.6\r\n"),
};

/** The wire below the routes: malformed, ambiguous, unfinished and oversized requests. */
export const protocolChecks: Check[] = [
  ...Object.entries(MALFORMED).map(([name, bytes]): Check => ({
    id: `protocol.refused: ${name}`,
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      const response = await provoke(target.url, bytes);
      expect(response !== undefined, `${name}: the connection was closed without an answer`);
      expectRefusal(response, [400, 404, 405, 501, 505]);
      await expectAlive(target);
    },
  })),
  ...Object.entries(AMBIGUOUS).map(([name, framing]): Check => ({
    id: `protocol.not-smuggled: ${name}`,
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      await withConnection(target.url, async (connection) => {
        connection.write(`POST /health HTTP/1.1\r\nHost: a\r\n${framing}`);
        const first = await connection.read(name);
        // A router may refuse the method before the parser has met what is wrong with the body.
        expectRefusal(first, [400, 405, 413, 501]);
        const rest = await connection.closed(name);
        expect(!rest.includes('"environment"'), `${name}: the request in the body was answered`);
      });
      await expectAlive(target);
    },
  })),
  ...Object.entries(NOT_HTTP).map(([name, bytes]): Check => ({
    id: `protocol.not-http: ${name}`,
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      await withConnection(target.url, async (connection) => {
        connection.write(bytes);
        connection.end();
        await connection.closed(name);
      });
      await expectAlive(target);
    },
  })),
  {
    id: "protocol.header-overflow",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      const large = `GET /health HTTP/1.1\r\n${CLOSE}X-A: ${"a".repeat(200_000)}\r\n\r\n`;
      const response = await provoke(target.url, large);
      expect(response !== undefined, "200 kB of headers: no answer");
      expectRefusal(response, [400, 431]);
      await expectAlive(target);
    },
  },
  {
    id: "protocol.many-headers",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const many = Array.from({ length: 1_500 }, (_, index) => `a${index}: b\r\n`).join("");
      const response = await provoke(target.url, `GET /health HTTP/1.1\r\n${CLOSE}${many}\r\n`);
      expect(response !== undefined, "1,500 headers: no answer");
      expectNoFailure(response);
      await expectAlive(target);
    },
  },
  {
    id: "protocol.pipelined",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      const ids = ["one", "two", "three", "four", "five"];
      await withConnection(url, async (connection) => {
        const requests = ids.map((id, index) =>
          formatRequest(url, {
            path: index % 2 === 0 ? "/health" : "/no-such-route",
            headers: { "X-Request-ID": id },
            keepAlive: true,
          }),
        );
        connection.write(Buffer.concat(requests));
        for (const [index, id] of ids.entries()) {
          const response = await connection.read(`request ${id}`);
          expectEqual(response.header("x-request-id"), id, "X-Request-ID");
          expectStatus(response, index % 2 === 0 ? 200 : 404);
        }
      });
    },
  },
  {
    id: "protocol.pipelined-after-an-error",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      await withConnection(target.url, async (connection) => {
        const bad = formatRequest(target.url, {
          method: "POST",
          path,
          body: "{",
          headers: { "Content-Type": "application/json" },
          keepAlive: true,
        });
        const good = formatRequest(target.url, {
          method: "POST",
          path,
          json: validBody(target),
          keepAlive: true,
        });
        connection.write(Buffer.concat([bad, good]));
        expectRefusal(await connection.read("malformed JSON"), [400]);
        expectStatus(await connection.read("valid JSON after it"), 200, 201, 202);
      });
    },
  },
  {
    id: "protocol.byte-by-byte",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      await withConnection(target.url, async (connection) => {
        const bytes = formatRequest(target.url, { method: "POST", path, json: validBody(target) });
        for (const byte of bytes) {
          connection.write(Uint8Array.of(byte));
          await new Promise(setImmediate);
        }
        expectStatus(await connection.read("a request in single bytes"), 200, 201, 202);
      });
    },
  },
  {
    id: "protocol.slow-clients-hold-nobody-up",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      const slow = await Promise.all(Array.from({ length: 100 }, () => Connection.open(url)));
      try {
        for (const connection of slow) connection.write("GET /health HTTP/1.1\r\nHost: a\r\nX-");
        await expectAlive({ url });
        const [first] = slow;
        first?.write("A: b\r\n\r\n");
        expectStatus((await first?.read("a slow request"))!, 200);
      } finally {
        for (const connection of slow) connection.destroy();
      }
    },
  },
  {
    id: "protocol.aborted-headers",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      for (let count = 0; count < 20; count += 1) {
        const connection = await Connection.open(target.url);
        connection.write("GET /health HT");
        connection.reset();
      }
      await expectAlive(target);
    },
  },
  {
    id: "protocol.absolute-target",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      for (const path of ["http://elsewhere.example/health", "http://a/../etc/passwd", "a:b"]) {
        const response = await provoke(target.url, `GET ${path} HTTP/1.1\r\n${CLOSE}\r\n`);
        expect(response !== undefined, `GET ${path}: no answer`);
        expectNoFailure(response);
      }
    },
  },
  {
    id: "protocol.asterisk-target",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      const response = await provoke(target.url, `OPTIONS * HTTP/1.1\r\n${CLOSE}\r\n`);
      expect(response !== undefined, "OPTIONS *: no answer");
      expectNoFailure(response);
    },
  },
  {
    id: "protocol.connect",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      const bytes = "CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n";
      const response = await provoke(target.url, bytes);
      // No tunnel: a refusal, or the end of the connection.
      if (response) expectRefusal(response, [400, 404, 405, 501]);
      await expectAlive(target);
    },
  },
  {
    id: "protocol.upgrade-ignored",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run(target) {
      for (const upgrade of ["websocket", "h2c", "nonsense"]) {
        const response = await provoke(
          target.url,
          `GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`,
        );
        expect(response !== undefined, `Upgrade: ${upgrade}: no answer`);
        expectStatus(response, 200);
      }
    },
  },
  {
    id: "protocol.expect-continue",
    sentence: STANDARD.indistinguishable,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      const body = JSON.stringify(validBody(target));
      await withConnection(target.url, async (connection) => {
        const headers = {
          "Content-Type": "application/json",
          "Content-Length": String(Buffer.byteLength(body)),
          Expect: "100-continue",
        };
        connection.write(formatRequest(target.url, { method: "POST", path, headers }));
        await connection.readInterim("Expect: 100-continue");
        connection.write(body);
        expectStatus(await connection.read("the body after 100"), 200, 201, 202);
      });
    },
  },
  {
    id: "protocol.expect-nonsense",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      const bytes = `GET /health HTTP/1.1\r\n${CLOSE}Expect: a-miracle\r\n\r\n`;
      const response = await provoke(target.url, bytes);
      expect(response !== undefined, "Expect: a-miracle: no answer");
      if (response.status !== 200) expectRefusal(response, [417]);
    },
  },
  {
    id: "protocol.keep-alive",
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      await withConnection(url, async (connection) => {
        for (let count = 0; count < 20; count += 1) {
          connection.write(formatRequest(url, { path: "/health", keepAlive: true }));
          expectStatus(await connection.read(`request ${count} of one connection`), 200);
        }
        expect(!connection.isClosed, "the connection was closed between requests");
      });
    },
  },
  {
    id: "protocol.keep-alive-outlives-the-load-balancer",
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      await withConnection(url, async (connection) => {
        connection.write(formatRequest(url, { path: "/health", keepAlive: true }));
        const response = await connection.read("GET /health");
        const header = response.header("keep-alive") ?? "";
        const timeout = Number(/timeout=(\d+)/.exec(header)?.[1] ?? Infinity);
        // The load balancer keeps idle connections for 60 s and must be the one to close them.
        expect(timeout > 60, `idle connections are closed after ${timeout} s`);
      });
    },
  },
  {
    id: "protocol.connection-close",
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      await withConnection(url, async (connection) => {
        connection.write(formatRequest(url, { path: "/health" }));
        const response = await connection.read("GET /health");
        expectEqual(response.header("connection"), "close", "header Connection");
        await connection.closed("after Connection: close");
      });
    },
  },
  {
    id: "protocol.http-0.9",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      // Some parsers take a request without a version, some refuse it; both are sound.
      const response = await provoke(target.url, "GET /health\r\n\r\n");
      if (response) expectNoFailure(response);
      await expectAlive(target);
    },
  },
  {
    id: "protocol.http-1.0",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      await withConnection(url, async (connection) => {
        connection.write("GET /health HTTP/1.0\r\n\r\n");
        expectStatus(await connection.read("GET /health HTTP/1.0"), 200);
        await connection.closed("after an HTTP/1.0 request");
      });
    },
  },
  {
    id: "protocol.many-at-once",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      const answers = await Promise.all(
        Array.from({ length: 200 }, () =>
          provoke(url, formatRequest(url, { path: "/health/version" })),
        ),
      );
      for (const answer of answers) expectEqual(answer?.status, 200, "status");
    },
  },
];
