// Copied into the service under test as src/routes/drill.ts: routes that go wrong in the ways that are drilled.
// @ts-nocheck -- its imports are the service's
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { defineRoute } from "../platform/route.ts";

// A release that starts well and dies a second later.
if (existsSync(join(process.env.DRILL_FOLDER, "crash"))) setTimeout(() => process.exit(1), 1_500);

const answer = z.object({ pid: z.int() });
const route = (path, work, query) =>
  defineRoute({
    method: "GET",
    path: `/drill/${path}`,
    summary: `Drill ${path}`,
    ...(query ? { query } : {}),
    responses: { 200: answer },
    handler: async (input) => {
      await work(input);
      return { pid: process.pid };
    },
  });

function endlessLoop() {
  let turns = 0;
  for (;;) turns += 1;
}

function backtrack() {
  return /^(a+)+$/.test(`${"a".repeat(50)}!`);
}

export const drillRoutes = [
  route("fast", () => {}),
  route("slow", ({ query }) => delay(query.ms), z.object({ ms: z.coerce.number() })),
  route("loop", endlessLoop),
  route("regex", backtrack),
];
