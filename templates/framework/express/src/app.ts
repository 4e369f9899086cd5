import type { Express } from "express";
import type { Deps } from "./deps.ts";
import { integrationRoutes } from "./integrations/routes.ts";
import { createExpress, type Platform, registerRoutes } from "./platform/app.ts";
import { listRules, scoreReceipt } from "./routes/receipts.ts";

/** The service's table of contents: middleware, then routes. It builds, it never listens. */
export function createApp(_deps: Deps, platform: Platform): Express {
  // An ordinary Express application, with CORS, health routes and documentation.
  const app = createExpress(platform);

  // Middleware of your own comes here, in order: app.use(helmet());

  // Routes as data: checked both ways, typed, in openapi.json. Or the ordinary way: app.get("/api/v1/…", …);
  registerRoutes(app, [scoreReceipt, listRules, ...integrationRoutes], platform);
  return app;
}
