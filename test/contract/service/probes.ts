import type { Probes } from "../../../src/verify/target.ts";

const SECRET = "secret-of-a-probe";
const BASE = "/api/v1/probes";

/** Where the probes are served. */
export const PROBES: Probes = {
  failing: [`${BASE}/throws`, `${BASE}/rejects`, `${BASE}/throws-later`, `${BASE}/throws-text`],
  brokenResponse: `${BASE}/breaks-its-schema`,
  bodiless: `${BASE}/takes-no-body`,
  hanging: `${BASE}/hangs`,
  calling: `${BASE}/calls`,
  secret: SECRET,
};

/** The variable that turns the probes on in a generated service. */
export const PROBES_SWITCH = "CONTRACT_PROBES";

/** The routes' source, written like any route of a service and put beside its own. */
export const PROBES_SOURCE = `import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { defineRoute, type Route } from "../platform/route.ts";

const secret = "${SECRET}";
const responses = { 200: z.object({ count: z.int() }) };

function failing(name: string, handler: () => Promise<never> | never): Route {
  const path = \`${BASE}/\${name}\`;
  return defineRoute({ method: "GET", path, summary: name, responses, handler });
}

const routes: Route[] = [
  failing("throws", () => {
    throw new Error(secret);
  }),
  failing("rejects", () => Promise.reject(new TypeError(secret))),
  failing("throws-later", async () => {
    await delay(1);
    throw new Error("outer", { cause: new Error(secret) });
  }),
  failing("throws-text", () => {
    throw secret as unknown as Error;
  }),
  defineRoute({
    method: "GET",
    path: "${BASE}/breaks-its-schema",
    summary: "Breaks its schema",
    responses,
    handler: () => ({ count: secret as unknown as number }),
  }),
  defineRoute({
    method: "DELETE",
    path: "${BASE}/takes-no-body",
    summary: "Takes no body",
    responses,
    handler: () => ({ count: 0 }),
  }),
  defineRoute({
    method: "POST",
    path: "${BASE}/hangs",
    summary: "Hangs",
    responses,
    handler: () => {
      for (;;);
    },
  }),
  defineRoute({
    method: "POST",
    path: "${BASE}/calls",
    summary: "Calls another service",
    body: z.object({ url: z.url() }),
    responses,
    handler: async ({ body, deps }) => ({ count: (await deps.http.fetch(body.url)).status }),
  }),
];

export const probes: Route[] = process.env.${PROBES_SWITCH} === "1" ? routes : [];
`;
