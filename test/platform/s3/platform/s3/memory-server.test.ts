import { expect, onTestFinished, test } from "vitest";
import { serveMemoryStore } from "../../../src/platform/s3/memory-server.ts";

async function servedUrl(): Promise<string> {
  const { store, close } = await serveMemoryStore();
  onTestFinished(close);
  const body = {
    contentType: "image/png",
    async *[Symbol.asyncIterator]() {
      yield Buffer.from("bytes");
    },
  };
  const { sha256 } = await store.put(body);
  const presigned = await store.presign(sha256);
  return presigned!.url;
}

test("the bytes come from their URL, as they were stored", async () => {
  const url = await servedUrl();
  const response = await fetch(url);
  expect(response.headers.get("content-type")).toBe("image/png");
  expect(await response.text()).toBe("bytes");
  const head = await fetch(url, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "5"]);
});

test.each([
  ["a time that is over", (url: string) => url.replace(/expires=\d+/, "expires=1"), "GET", 403],
  ["no time", (url: string) => url.replace(/\?.*/, ""), "GET", 403],
  ["another hash", (url: string) => url.replace(/\/[0-9a-f]{64}/, "/other"), "GET", 404],
  ["another method", (url: string) => url, "PUT", 405],
])("a URL with %s serves nothing", async (_name, change, method, status) => {
  expect((await fetch(change(await servedUrl()), { method })).status).toBe(status);
});
