import { cp } from "node:fs/promises";
import { join } from "node:path";

import { addProbes } from "../../contract/service/build.ts";
import { createService, runScript } from "../../support/generated.ts";
import { templates } from "../../support/templates.ts";

/**
 * Creates a service with every integration, puts the handlers of the tests in the place of the example's,
 * adds the contract's probes, and builds it as for production.
 * @returns its folder.
 */
export async function buildService(framework: string): Promise<string> {
  const integrations = templates.manifest.integrations.map(({ name }) => name).join();
  const flags = ["--framework", framework, "--integrations", integrations];
  // Another run at the same time has its own.
  const directory = await createService(`e2e-${framework}-${process.pid}`, flags);
  await cp(
    join(import.meta.dirname, "handlers.ts"),
    join(directory, "src/integrations/kafka/handlers.ts"),
  );
  await addProbes(directory);
  await runScript(directory, "build");
  return directory;
}
