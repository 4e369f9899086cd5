import { rateLimit } from "express-rate-limit";
import helmet from "helmet";
import { Router } from "express";
import { expect, test } from "vitest";
import { type App, createExpress } from "../../src/platform/app.ts";
import { createTestApp } from "../support.ts";
import { expectNothingLeft, type Shot } from "./hammer.ts";

const shot: Shot = { path: "/answer" };

test.each<[name: string, build: (app: App) => unknown, status: number, shot: Shot]>([
  ["res.json", (app) => app.get("/answer", (_req, res) => void res.json({})), 200, shot],
  ["a throw", (app) => app.get("/answer", () => Promise.reject(new Error("a"))), 500, shot],
  ["a limit's 429", (app) => app.use(rateLimit({ limit: 0, validate: false })), 429, shot],
  [
    "a nested router behind helmet",
    (app) => {
      const router = Router();
      router.get("/:id", (req, res) => void res.send(req.params.id));
      app.use(helmet()).use("/answer", router);
    },
    200,
    { path: "/answer/1" },
  ],
  [
    "an answer that is abandoned",
    (app) => app.get("/answer", (_req, res) => void res.write("a")),
    200,
    { ...shot, leaves: true },
  ],
])("nothing is left of %s", async (_name, build, status, given) => {
  await using app = await createTestApp({
    createApp: (_deps, platform) => {
      const it = createExpress(platform);
      build(it);
      return it;
    },
  });
  await expectNothingLeft(app, given, status);
  expect(app.service.requestsInFlight()).toEqual([]);
});
