import { once } from "node:events";
import { type IncomingMessage, type OutgoingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { createApp } from "../src/app.ts";
import { createDeps, type Deps } from "../src/deps.ts";
import { type Platform, registerRoutes } from "../src/platform/app.ts";
import type { DependencyOverrides } from "../src/platform/depends.ts";
import { startWeb, type WebService } from "../src/platform/lifespan/worker.ts";
import { createLogger } from "../src/platform/logging.ts";
import type { Route } from "../src/platform/route.ts";
import { loadSettings } from "../src/settings.ts";
import { createFakes } from "./integrations/index.ts";

/** A request of a test. */
export interface TestRequest {
  method?: string;
  url: string;
  headers?: OutgoingHttpHeaders;
  /** Text and bytes are sent as they are, anything else as JSON. */
  payload?: unknown;
}

export interface TestResponse {
  statusCode: number;
  statusMessage: string;
  headers: OutgoingHttpHeaders;
  body: string;
  rawPayload: Buffer;
  // oxlint-disable-next-line typescript/no-explicit-any, typescript/no-unnecessary-type-parameters -- a test knows what it expects
  json<Body = any>(): Body;
}

export interface TestApp extends AsyncDisposable {
  /** Sends a request through the whole service, over a port of this machine. */
  inject(request: TestRequest): Promise<TestResponse>;
  server: Server;
  /** Where the service listens: `http://127.0.0.1:…`. */
  url: string;
  /** The log lines so far, parsed. */
  logs: Record<string, unknown>[];
  metrics: WebService["metrics"];
  /** What is not answered yet, by request id. */
  requests: { inFlight(): string[] };
  service: WebService;
}

interface TestAppOptions {
  /** Environment variables; everything else has its default. */
  env?: Record<string, string>;
  /** Dependencies to use instead of the real ones; an integration has a fake in its place anyway. */
  deps?: Partial<Deps>;
  /** Per-request dependencies to replace: `new Map([[currentUser, () => ({ id: "u-1" })]])`. */
  depends?: DependencyOverrides;
  /** Routes to serve besides the service's own; one that it has already is served once. */
  routes?: Route[];
  /** Another application in the place of the service's own. */
  createApp?: typeof createApp;
}

/** The whole service without log output and telemetry: `await using app = await createTestApp()`. */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { env = {}, deps = {}, routes = [], depends = new Map() } = options;
  const { createApp: create = createApp } = options;
  const logs: TestApp["logs"] = [];
  const output = {
    write: (lines: string) => {
      for (const line of lines.trimEnd().split("\n")) logs.push(JSON.parse(line));
    },
  };
  const settings = loadSettings(env);
  const modules = {
    deps: async () => ({ createDeps }),
    app: async () => ({
      createApp: async (...given: Parameters<typeof createApp>) => {
        const app = await Promise.resolve(create(...given));
        const platform = given[1];
        registerRoutes(app, routes.filter(isNewTo(platform)), platform);
        return app;
      },
    }),
  };
  const service = await startWeb(modules, settings, createLogger(settings, output), {
    deps: { ...createFakes(), ...deps },
    dependencyOverrides: depends,
    output,
  });
  const { server } = service;
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pending: Promise<unknown>[] = [];
  return {
    server,
    url,
    logs,
    metrics: service.metrics,
    requests: { inFlight: () => service.requestsInFlight() },
    service,
    inject(given) {
      const sending = send(url, given).finally(() => service.flush());
      pending.push(sending.catch(() => {}));
      return sending;
    },
    async [Symbol.asyncDispose]() {
      // A test may return a promise of an answer and leave the app's scope before it comes.
      await Promise.all(pending);
      server.closeAllConnections();
      server.close();
      await service.close();
    },
  };
}

/** Whether the service lacks a route: two different ones in one place remain an error. */
function isNewTo({ documented }: Platform) {
  return ({ method, path, summary }: Route): boolean =>
    !documented.some(
      (one) => one.method === method && one.path === path && one.summary === summary,
    );
}

async function send(origin: string, given: TestRequest): Promise<TestResponse> {
  const { method = "GET", url, payload, headers = {} } = given;
  const isRaw = typeof payload === "string" || payload instanceof Uint8Array;
  const body = payload === undefined || isRaw ? payload : JSON.stringify(payload);
  const type = payload === undefined || isRaw ? {} : { "content-type": "application/json" };
  const { hostname, port } = new URL(origin);
  // Not `fetch`, which changes targets and headers that a test wants sent as they are.
  const sent = request({ hostname, port, path: url, method, agent: false });
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  for (const [name, value] of Object.entries({ ...length, ...type, ...headers })) {
    if (value !== undefined) sent.setHeader(name, value);
  }
  sent.end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const rawPayload = await buffer(response);
  const text = rawPayload.toString();
  return {
    statusCode: response.statusCode!,
    statusMessage: response.statusMessage!,
    headers: response.headers,
    body: text,
    rawPayload,
    json: () => JSON.parse(text),
  };
}

/** What a client sees of an error answer. */
export interface ErrorAnswer {
  error: {
    code: string;
    message: string;
    request_id: string;
    timestamp: string;
    details?: { field: string; message: string }[];
  };
}

export function errorOf(response: TestResponse): ErrorAnswer["error"] {
  return response.json<ErrorAnswer>().error;
}
