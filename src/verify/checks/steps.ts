import { randomUUID } from "node:crypto";

import { needed } from "../check.ts";
import { eventually } from "../eventually.ts";
import { expect, expectEqual, expectStatus } from "../expect.ts";
import type { Instance, LaunchOptions, Target } from "../target.ts";
import type { WireResponse } from "../wire/response.ts";
import { type RequestParts, send } from "../wire/send.ts";

/** What a JSON route may answer a valid body with. */
export const OK = [200, 201, 202];

/** The service still answers as if nothing had happened. Every check of hostile input ends with it. */
export async function expectAlive(target: { url: string }): Promise<void> {
  const response = await send(target.url, "/health");
  expectStatus(response, 200);
  expectEqual((response.json() as { status?: string }).status, "healthy", "GET /health: status");
}

/** Starts an instance for `use`, and ends it after. */
export async function withInstance<Result>(
  target: Target,
  options: LaunchOptions,
  use: (instance: Instance) => Promise<Result>,
): Promise<Result> {
  const instance = await needed(target.launch, "launch")(options);
  try {
    return await use(instance);
  } finally {
    await instance.stop();
  }
}

/** Posts `body` as JSON to the target's JSON route. */
export function postJson(
  target: Target,
  body: unknown,
  parts: RequestParts = {},
): Promise<WireResponse> {
  const { path } = needed(target.jsonRoute, "jsonRoute");
  return send(target.url, { method: "POST", path, json: body, ...parts });
}

/** Posts a body as it is, announced as JSON unless the headers say otherwise. */
export function postText(
  target: Target,
  body: string | Uint8Array,
  headers: RequestParts["headers"] = { "Content-Type": "application/json" },
): Promise<WireResponse> {
  const { path } = needed(target.jsonRoute, "jsonRoute");
  return send(target.url, { method: "POST", path, body, headers });
}

/** The body that the JSON route accepts. */
export function validBody(target: Target): object {
  return needed(target.jsonRoute, "jsonRoute").valid;
}

/** The JSON text of `body` with `text`, as it is, for the value of `field`: what no value could be written as. */
export function jsonWith(body: object, field: string, text: string): string {
  return JSON.stringify({ ...body, [field]: "HERE" }).replace('"HERE"', text);
}

/** An id that no other request has. */
export function freshId(): string {
  return `contract-${randomUUID()}`;
}

/** A path that no service has. */
export function unknownPath(): string {
  return `/api/v1/${freshId()}`;
}

/** The names of the environments that the standard has. */
export const ENVIRONMENTS: readonly string[] = ["dev", "stage", "preprod", "prod"];

/** What GET /health/version says. */
export async function versionOf(target: {
  url: string;
}): Promise<{ service: string; version: string; environment: string }> {
  const response = await send(target.url, "/health/version");
  expectStatus(response, 200);
  return response.json() as { service: string; version: string; environment: string };
}

/** How the instance ended by itself. @throws {Violation} when it does not end, or a signal ended it. */
export async function exitCodeOf(instance: Instance): Promise<number | null> {
  let exit: Awaited<Instance["exited"]> | undefined;
  void instance.exited.then((found) => (exit = found));
  const { code, signal } = await eventually("the end of the main process", () => exit);
  expectEqual(signal, null, "signal that ended the main process");
  return code;
}

/** The one in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** @throws {Violation} unless the instance ends by itself, with this exit code. */
export async function expectExit(instance: Instance, code: number): Promise<void> {
  expectEqual(await exitCodeOf(instance), code, "exit code of the main process");
}

/** @throws {Violation} unless the instance ends by itself, and says with its exit code that it failed. */
export async function expectFailedStart(instance: Instance): Promise<void> {
  expect((await exitCodeOf(instance)) !== 0, "a service that cannot start exits with 0");
}

/** @throws {Violation} when any response names one of these texts. */
export function expectNowhere(responses: readonly WireResponse[], text: string): void {
  for (const response of responses) {
    const whole = response.headers.map((pair) => pair.join(": ")).join("\n") + response.text;
    expect(!whole.includes(text), `${response.request}: the answer contains ${text}`);
  }
}
