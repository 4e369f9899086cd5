import { request } from "node:http";
import { expect } from "vitest";
import { z } from "zod";
import { defineRoute } from "../../src/platform/route.ts";
import type { ObservedApp } from "./observed-app.ts";

/** A declared route without a body. */
export const declared = defineRoute({
  method: "GET",
  path: "/declared/{id}",
  summary: "Declared",
  params: z.object({ id: z.string() }),
  responses: { 200: z.object({ id: z.string() }) },
  handler: ({ params }) => params,
});

/** A declared route with one. */
export const create = defineRoute({
  method: "POST",
  path: "/declared",
  summary: "Create",
  body: z.object({ name: z.string() }),
  responses: { 201: z.object({ name: z.string() }) },
  handler: ({ body }) => body,
});

const MULTIPART = "multipart/form-data; boundary=limit";

/** A form with a file. */
export function upload(file: string): { headers: Record<string, string>; payload: string } {
  const head = `Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain`;
  return {
    headers: { "content-type": MULTIPART },
    payload: `--limit\r\n${head}\r\n\r\n${file}\r\n--limit--\r\n`,
  };
}

/** Sends half of a form and leaves: that is a 499, and no error of the service's. */
export async function abortUpload(app: ObservedApp, path: string, type = MULTIPART): Promise<void> {
  const requestId = `r-${path.slice(1)}`;
  const headers = { "x-request-id": requestId, "content-type": type, "content-length": 10_000 };
  const sent = request(`${app.url}${path}`, { method: "POST", headers });
  sent.on("error", () => {}).write(upload("a").payload.slice(0, -20));
  await expect.poll(() => app.service.requestsInFlight()).toEqual([requestId]);
  sent.destroy();
  await app.check(undefined, { status: 499, method: "POST", route: path, requestId });
  expect(app.logs.filter(({ level }) => level === "error")).toEqual([]);
}
