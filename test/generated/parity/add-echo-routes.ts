import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Adds the routes of echo-routes.ts to a service. */
export async function addEchoRoutes(directory: string): Promise<void> {
  await cp(join(import.meta.dirname, "echo-routes.ts"), join(directory, "src/routes/echo.ts"));
  const app = join(directory, "src/app.ts");
  const source = await readFile(app, "utf8");
  const routes = source.replace("registerRoutes(app, [", "registerRoutes(app, [...echoRoutes, ");
  await writeFile(app, `import { echoRoutes } from "./routes/echo.ts";\n${routes}`);
}
