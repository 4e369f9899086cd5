import { cpSync } from "node:fs";
import { join } from "node:path";

import { templates } from "./templates.ts";

/** Tests of the platform by template layer: base, each integration, what they share. */
export const PLATFORM_TESTS = join(import.meta.dirname, "../platform");

/**
 * The folders of test/platform that run in a service: the base's in the plain one, those of the integrations and of what
 * they share in the one that has them all. In between there is no code that neither of the two has.
 */
export function platformTestsOf(integrations: readonly string[]): string[] {
  const all = templates.manifest.integrations;
  if (integrations.length === 0) return ["base"];
  if (integrations.length < all.length) return [];
  return [...new Set(all.flatMap(({ name, needs }) => [...needs, name]))];
}

/** Lays the platform's own tests over a service's test/ folder, where they import ../../src/platform. */
export function layPlatformTests(directory: string, layers: readonly string[]): void {
  for (const layer of layers) {
    cpSync(join(PLATFORM_TESTS, layer), join(directory, "test"), { recursive: true });
  }
}
