import { rm } from "node:fs/promises";

import type { TestProject } from "vitest/node";

import { installStack } from "../stack/install.ts";
import { templates } from "../support/templates.ts";
import { buildService } from "./service/build.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of the built service, by framework. */
    services: Record<string, string>;
  }
}

/** Once for all files: the servers are installed, and a service with every integration is built per framework. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  await installStack();
  const services: Record<string, string> = {};
  for (const { name } of templates.manifest.frameworks) {
    services[name] = await buildService(name);
  }
  provide("services", services);
  return async () => {
    for (const directory of Object.values(services)) await rm(directory, { recursive: true });
  };
}
