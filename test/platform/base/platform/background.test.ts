import { Registry } from "@prometheus-io/client";
import { expect, test } from "vitest";
import { createDeps } from "../../src/deps.ts";
import { startBackgroundWork } from "../../src/platform/lifespan.ts";
import { createLogger } from "../../src/platform/logging.ts";
import { loadSettings } from "../../src/settings.ts";
import { createFakes } from "../integrations/index.ts";

test("starts the work of each integration that has some, with its client, and stops it in reverse", async () => {
  const calls: string[] = [];
  const worker = (name: string) => ({
    critical: true,
    background(client: unknown) {
      calls.push(`${name} starts with ${String(client)}`);
      return { check: async () => {}, stop: async () => void calls.push(`${name} stops`) };
    },
  });
  const settings = loadSettings({});
  const log = createLogger(settings, { write: () => {} });
  await using lifespan = await createDeps(settings, log, new Registry(), createFakes());
  const deps = { ...lifespan.deps, mail: "the mail", news: "the news" };
  const listed = { mail: worker("mail"), quiet: { critical: false }, news: worker("news") };

  const work = startBackgroundWork(listed, deps);
  expect(work.checks.map(({ name }) => name)).toEqual(["mail_background", "news_background"]);
  await work[Symbol.asyncDispose]();
  expect(calls).toEqual([
    "mail starts with the mail",
    "news starts with the news",
    "news stops",
    "mail stops",
  ]);
});
