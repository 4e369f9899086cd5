import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { runInRequest } from "../../src/platform/context.ts";
import { createHttpClient } from "../../src/platform/http-client.ts";

const request = {
  requestId: "r-1",
  correlationId: "c-1",
  traceId: "0".repeat(31) + "1",
  spanId: "0".repeat(15) + "1",
};

/** A fake `fetch` that answers the given statuses in turn (0: no answer at all) and keeps what it was asked. */
function fakeFetch(...statuses: number[]) {
  const calls: Request[] = [];
  const fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    calls.push(new Request(url, init));
    const status = statuses[calls.length - 1] ?? 200;
    if (status === 0) throw new TypeError("fetch failed");
    return new Response(null, { status });
  };
  return { fetch, calls };
}

test("sends the ids of the request at hand", async () => {
  const { fetch, calls } = fakeFetch();
  const client = createHttpClient({ fetch });
  await runInRequest(request, () =>
    client.fetch("http://upstream.example/", { headers: { accept: "text/plain" } }),
  );
  expect(Object.fromEntries(calls[0]!.headers)).toMatchObject({
    accept: "text/plain",
    "x-request-id": "r-1",
    "x-correlation-id": "c-1",
  });
});

describe("retries", () => {
  test.each([
    ["a GET that fails", "GET", [0, 503, 200], 3, 200],
    ["a GET that goes on failing", "GET", [503, 503, 503], 3, 503],
    ["not a POST", "POST", [503], 1, 503],
    ["not what the caller did wrong", "GET", [404], 1, 404],
  ])("%s", async (_name, method, statuses, tries, status) => {
    const { fetch, calls } = fakeFetch(...statuses);
    const response = await createHttpClient({ fetch }).fetch("http://upstream.example/", {
      method,
    });
    expect([calls.length, response.status]).toEqual([tries, status]);
  });
});

test("a stream is sent once: it cannot be read again", async () => {
  const { fetch, calls } = fakeFetch(503, 200);
  const body = new Blob(["text"]).stream();
  const client = createHttpClient({ fetch });
  const response = await client.fetch("http://upstream.example/", {
    method: "PUT",
    body,
    duplex: "half",
  });
  expect([calls.length, response.status]).toEqual([1, 503]);
});

describe("Retry-After", () => {
  const busy = (after: string) => {
    let calls = 0;
    const fetch = async () =>
      (calls += 1) === 1
        ? new Response(null, { status: 503, headers: { "retry-after": after } })
        : new Response();
    return { client: createHttpClient({ fetch }), calls: () => calls };
  };

  test("is waited for", async () => {
    const { client } = busy("1");
    const before = performance.now();
    expect((await client.fetch("http://upstream.example/")).status).toBe(200);
    expect(performance.now() - before).toBeGreaterThan(990);
  });

  test.each(["3600", new Date(Date.now() + 3_600_000).toUTCString()])(
    "of %s is too long to wait for",
    async (after) => {
      const { client, calls } = busy(after);
      const response = await client.fetch("http://upstream.example/");
      expect([response.status, calls()]).toEqual([503, 1]);
    },
  );

  test("that says nothing is left alone", async () => {
    expect((await busy("soon").client.fetch("http://upstream.example/")).status).toBe(200);
  });
});

test("a call may have less time than the client gives", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const client = createHttpClient({ timeoutMs: 600_000, retries: 0 });
  const answer = client.fetch(`http://127.0.0.1:${port}/`, { timeoutMs: 50 });
  await expect(answer).rejects.toMatchObject({ code: "EXTERNAL_SERVICE_ERROR" });
  server.closeAllConnections();
  server.close();
});

test("no answer is an EXTERNAL_SERVICE_ERROR that does not name the upstream", async () => {
  const { fetch } = fakeFetch(0);
  const client = createHttpClient({ fetch, retries: 0 });
  await expect(client.fetch("http://upstream.example/")).rejects.toMatchObject({
    code: "EXTERNAL_SERVICE_ERROR",
    message: "An upstream service did not answer",
    cause: { message: "no answer from upstream.example after 1 tries" },
  });
});

test("a slow upstream is given up", async () => {
  let headers: IncomingHttpHeaders = {};
  const server = createServer((req) => void (headers = req.headers)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const client = createHttpClient({ timeoutMs: 1_000, retries: 0 });
  const answer = runInRequest(request, () => client.fetch(`http://127.0.0.1:${port}/`));
  await expect(answer).rejects.toMatchObject({ code: "EXTERNAL_SERVICE_ERROR" });
  expect(headers["x-request-id"]).toBe("r-1");
  server.closeAllConnections();
  server.close();
});

test("the caller's own abort is passed on as it is", async () => {
  const client = createHttpClient();
  const signal = AbortSignal.abort(new Error("the client went away"));
  await expect(client.fetch("http://127.0.0.1:1/", { signal })).rejects.toThrow(
    "the client went away",
  );
});
