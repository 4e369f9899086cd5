import type { Deps } from "./deps.ts";
import { integrationRoutes } from "./integrations/routes.ts";
import { type App, assembleApp, type Platform } from "./platform/app.ts";
import { cors } from "./platform/http/cors.ts";
import { listRules, scoreReceipt } from "./routes/receipts.ts";

/** The service's table of contents: what runs before every route, and the routes. It builds, it never listens. */
export function createApp(deps: Deps, platform: Platform): Promise<App> {
  return assembleApp({
    deps,
    platform,
    middleware: [cors(deps.settings.CORS_ORIGINS)],
    routes: [scoreReceipt, listRules, ...integrationRoutes],
  });
}
