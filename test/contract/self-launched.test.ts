import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";

import { errorBody, type Fake, resultAgainst } from "./fake.ts";
import type { Dependency } from "../../src/verify/target.ts";

// Services that are sound or unsound in one point, for the checks that start some, read their log or measure.

afterEach(() => vi.restoreAllMocks());

describe("secrets in the log", () => {
  const padding = "x".repeat(400);

  test.each([
    ["passed", () => ""],
    ["failed", (headers: object) => JSON.stringify(headers)],
  ])("%s, also at the end of a long line", async (outcome, said) => {
    const result = await resultAgainst("logs.no-secrets", () =>
      logging(({ headers }) => ({ padding, said: said(headers) })),
    );
    expect(result.outcome).toBe(outcome);
  });

  test.each([
    ["passed", () => ""],
    ["failed", (bytes: string) => bytes],
  ])("%s: malformed requests", async (outcome, said) => {
    const result = await resultAgainst("logs.no-secrets-of-malformed-requests", () =>
      refusingMalformed((id, bytes) => ({ request_id: id, padding, said: said(bytes) })),
    );
    expect(result.outcome).toBe(outcome);
  });
});

describe("refusals below the routes", () => {
  const check = "logs.4xx-of-the-protocol";

  test("pass when they are logged with their id", async () => {
    const result = await resultAgainst(check, () =>
      refusingMalformed((id) => ({ level: "info", request_id: id })),
    );
    expect(result.outcome).toBe("passed");
  });

  test("fail at another level", async () => {
    const result = await resultAgainst(check, () =>
      refusingMalformed((id) => ({ level: "error", request_id: id })),
    );
    expect(result).toMatchObject({ outcome: "failed", note: 'a 4xx at "error"' });
  });

  test("fail without their id", async () => {
    hurry();
    const result = await resultAgainst(check, () => refusingMalformed(() => ({ level: "info" })));
    expect(result).toMatchObject({ outcome: "failed", note: expect.stringContaining("a line of") });
  });
});

describe("lines of two workers", () => {
  const check = "logs.one-object-a-line-under-load";

  test("pass when they are whole", async () => {
    const result = await resultAgainst(check, () => logging(() => ({})));
    expect(result.outcome).toBe("passed");
  });

  test("fail when one is inside another", async () => {
    const result = await resultAgainst(check, () => {
      const fake = logging(() => ({}));
      return { ...fake, log: () => torn(fake.log()) };
    });
    expect(result).toMatchObject({
      outcome: "failed",
      note: expect.stringContaining("not a JSON"),
    });
  });

  test("fail when one is missing", async () => {
    let count = 0;
    const result = await resultAgainst(check, () =>
      logging(() => ((count += 1) === 1_000 ? undefined : {})),
    );
    expect(result).toMatchObject({
      outcome: "failed",
      note: "not one access line for each request",
    });
  });
});

test.each(["logs.paths-that-begin-like-a-probe's", "telemetry.paths-that-begin-like-a-probe's"])(
  "%s fails for a service that takes them for probes",
  async (check) => {
    hurry();
    const result = await resultAgainst(check, () =>
      logging(({ url }) => (url.startsWith("/health") ? undefined : {})),
    );
    expect(result).toMatchObject({
      outcome: "failed",
      note: expect.stringContaining("never seen"),
    });
  },
);

test.each([
  ["passed", 0],
  ["failed", 110],
])("/health: %s after %d ms", async (outcome, ms) => {
  const answer: RequestListener = async (_req, res) => {
    if (ms > 0) await delay(ms);
    res.end("{}");
  };
  const result = await resultAgainst("health.live-time", () => ({ answer }));
  expect(result.outcome).toBe(outcome);
});

test.each([
  ["passed", 0],
  ["failed", 80],
])("a request with a collector: %s when it takes %d ms more", async (outcome, ms) => {
  const result = await resultAgainst("telemetry.collector-refuses-connections", (options) => ({
    async answer(_req, res) {
      if (ms > 0 && options.environment?.["OTEL_EXPORTER_OTLP_ENDPOINT"]) await delay(ms);
      res.end("{}");
    },
  }));
  expect(result.outcome).toBe(outcome);
});

test.each(["health.starting", "health.starting-metrics-port"])(
  "%s ends for a service that never becomes ready",
  async (check) => {
    hurry();
    const result = await resultAgainst(check, () => ({
      answer: (_req, res) => void res.writeHead(503).end(),
    }));
    expect(result).toMatchObject({ outcome: "failed", note: "the end of the start: never seen" });
  },
);

test.each(["health.draining", "health.draining-closes-connections"])(
  "%s ends for a service that stays ready",
  async (check) => {
    hurry();
    const result = await resultAgainst(check, () => ({}));
    expect(result).toMatchObject({
      outcome: "failed",
      note: "the end of being ready: never seen",
    });
  },
);

describe("a scrape while workers hang", () => {
  test.each([
    ["passed", 200],
    ["failed", 503],
  ])("%s when it is answered with %d", async (outcome, status) => {
    let hangs = false;
    const result = await resultAgainst("metrics.scrape-while-a-worker-hangs", () => ({
      answer(req, res) {
        // It takes a while until a request that hangs a worker has come to one.
        if (req.method === "POST") setTimeout(() => (hangs = true), 50);
        else if (!hangs) res.end("{}");
      },
      metrics: (_req, res) => void res.writeHead(hangs ? status : 200).end(),
    }));
    expect(result.outcome).toBe(outcome);
  });
});

describe("the metrics port", () => {
  const checks = ["metrics.no-api-on-the-metrics-port", "metrics.other-answers"];

  test.each(checks)("%s passes for a plain server of one page", async (check) => {
    expect((await resultAgainst(check, () => ({ metrics: page }))).outcome).toBe("passed");
  });

  test.each(checks)("%s passes for one whose errors are plain text", async (check) => {
    expect((await resultAgainst(check, () => ({ metrics: pageOrText }))).outcome).toBe("passed");
  });

  test("fails when it serves the API, other error bodies, or foreign ids", async () => {
    const json = { "Content-Type": "application/json" };
    const [api, other] = await Promise.all([
      resultAgainst(checks[0]!, () => ({ metrics: (_req, res) => void res.end("{}") })),
      resultAgainst(checks[1]!, () => ({
        metrics: (_req, res) => void res.writeHead(404, json).end('{"detail":"Not Found"}'),
      })),
    ]);
    expect([api.outcome, other.outcome]).toEqual(["failed", "failed"]);
    const foreign = await resultAgainst(checks[1]!, () => ({
      metrics: (_req, res) => void res.setHeader("X-Request-ID", "another").end("a 1\n"),
    }));
    expect(foreign).toMatchObject({
      outcome: "failed",
      note: expect.stringContaining("X-Request-ID"),
    });
  });
});

describe("a dependency that is gone", () => {
  const check = "dependencies.critical";

  test("passes when the metrics port hears of it later", async () => {
    const { fake } = dependent((asked) => asked > 3);
    const result = await resultAgainst(check, () => fake);
    expect(result.outcome).toBe("passed");
  });

  test("fails when the metrics port never says so, and is there again after", async () => {
    const { fake, isUp } = dependent(() => {
      hurry();
      return false;
    });
    const result = await resultAgainst(check, () => fake);
    expect(result).toMatchObject({
      outcome: "failed",
      note: "503 of /health/ready on the metrics port: never seen",
    });
    expect(isUp()).toBe(true);
  });
});

describe("a service that refuses to start", () => {
  test.each([
    ["passed", 1],
    ["passed", 3],
    ["failed", 0],
  ])("%s with exit code %d", async (outcome, exitCode) => {
    for (const check of ["settings.wrong: LOG_LEVEL", "process.start-failure-is-final"]) {
      const result = await resultAgainst(check, () => ({
        ...{ exitCode, refusesToStart: true },
        log: () => ["LOG_LEVEL: not a level"],
      }));
      expect(result.outcome, check).toBe(outcome);
    }
  });
});

describe("an empty body that is announced as JSON", () => {
  test.each(["GET", "DELETE"])("fails when %s takes it for a body", async (method) => {
    const answer: RequestListener = (req, res) => {
      const wrong = req.method === method && "content-type" in req.headers;
      res.writeHead(wrong ? 400 : 200, { "Content-Type": "application/json" }).end("{}");
    };
    const result = await resultAgainst("bodies.none-where-none-is-declared", () => ({ answer }));
    expect(result).toMatchObject({
      outcome: "failed",
      note: expect.stringContaining("expected 200, got 400"),
    });
  });

  test("passes when it makes no difference", async () => {
    const result = await resultAgainst("bodies.none-where-none-is-declared", () => ({
      answer: (_req, res) => void res.setHeader("Content-Type", "application/json").end("{}"),
    }));
    expect(result.outcome).toBe("passed");
  });
});

/** A server of metrics alone, such as Prometheus' own libraries have. */
function page(_req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" }).end("a 1\n");
}

function pageOrText(req: IncomingMessage, res: ServerResponse): void {
  if (req.url === "/metrics" && req.method === "GET") page(req, res);
  else res.writeHead(404, { "Content-Type": "text/plain" }).end("not here");
}

/** Waiting ends after a few tries: each look at the clock is a minute after the one before. */
function hurry(): void {
  let now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => (now += 60_000));
}

/** Needs a store. Its metrics port knows that the store is gone when `knows` says so, of how often it was asked since. */
function dependent(knows: (asked: number) => boolean): { fake: Fake; isUp: () => boolean } {
  let up = true;
  let asked = 0;
  const store: Dependency = {
    ...{ name: "store", critical: true },
    stop: async () => void ([up, asked] = [false, 0]),
    start: async () => void (up = true),
  };
  const fake: Fake = {
    dependencies: [store],
    answer: (req, res) => {
      if (req.url === "/health") res.end('{"status":"healthy"}');
      else report(res, up);
    },
    metrics: (_req, res) => report(res, up || !knows(++asked)),
  };
  return { fake, isUp: () => up };
}

function report(res: ServerResponse, ready: boolean): void {
  const checks = { store: ready ? "healthy" : "unhealthy" };
  res.writeHead(ready ? 200 : 503, { "Content-Type": "application/json" });
  res.end(JSON.stringify({ status: ready ? "ready" : "not_ready", checks }));
}

interface Asked {
  url: string;
  headers: object;
}

/** Answers with 404 and writes an access line, with what `more` says, or none when it says nothing. */
function logging(more: (request: Asked) => object | undefined): Fake & { log: () => string[] } {
  const log: string[] = [];
  return {
    log: () => log,
    answer(req, res) {
      const { method, url = "", headers } = req;
      const line = more({ url, headers });
      const [path] = url.split("?");
      const request = { level: "info", request_id: headers["x-request-id"], method, path };
      if (line) log.push(JSON.stringify({ ...request, status: 404, ...line }));
      res.writeHead(404).end();
    },
  };
}

/** Refuses what is no request as it should be, and logs what `line` makes of it. */
function refusingMalformed(line: (id: string, bytes: string) => object): Fake {
  const log: string[] = [];
  let count = 0;
  const refusal = (bytes: string): { id: string; body: string } => {
    const id = `refused-${(count += 1)}`;
    log.push(JSON.stringify(line(id, bytes)));
    return { id, body: errorBody("VALIDATION_ERROR", "malformed", id) };
  };
  return {
    log: () => log,
    prepare(server: Server) {
      server.on("clientError", (error: Error & { rawPacket?: Buffer }, socket: Socket) => {
        const { id, body } = refusal(String(error.rawPacket));
        const headers = `Content-Type: application/json\r\nX-Request-ID: ${id}\r\n`;
        const length = `Content-Length: ${Buffer.byteLength(body)}\r\n`;
        socket.end(
          `HTTP/1.1 400 Bad Request\r\nConnection: close\r\n${headers}${length}\r\n${body}`,
        );
      });
      server.on("checkExpectation", (_req, res) => {
        const { id, body } = refusal("");
        const headers = { "Content-Type": "application/json", "X-Request-ID": id };
        res.writeHead(400, headers).end(body);
      });
    },
  };
}

/** With the second line in the middle of the first. */
function torn([first = "", second = "", ...rest]: string[]): string[] {
  return [...`${first.slice(0, 50)}${second}\n${first.slice(50)}`.split("\n"), ...rest];
}
