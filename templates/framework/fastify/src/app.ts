import type { Deps } from "./deps.ts";
import { integrationRoutes } from "./integrations/routes.ts";
import { type App, createFastify, type Platform, registerRoutes } from "./platform/app.ts";
import { listRules, scoreReceipt } from "./routes/receipts.ts";

/** The service's table of contents: plugins and hooks, then routes. It builds, it never listens. */
export async function createApp(_deps: Deps, platform: Platform): Promise<App> {
  // An ordinary Fastify instance, with zod schemas, the standard's error bodies, CORS, health routes and documentation.
  const app = await createFastify(platform);

  // Plugins and hooks of your own come here: await app.register(rateLimit, { max: 100 });

  // Routes as data: checked both ways, typed, in openapi.json. Or the ordinary way: app.get("/api/v1/…", …);
  registerRoutes(app, [scoreReceipt, listRules, ...integrationRoutes], platform);
  return app;
}
