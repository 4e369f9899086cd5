import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { templates } from "./templates.ts";

/** Tests of the platform by template layer: base, each framework and integration, what integrations share. */
export const PLATFORM_TESTS = join(import.meta.dirname, "../platform");

/** In a layer's folder: packages that its tests need, and no service. */
const PACKAGES = "packages.json";

/**
 * The folders of test/platform that run in a service: the base's and its framework's in the plain one, those of the
 * integrations and of what they share in the one that has them all. In between there is no code that neither has.
 */
export function platformTestsOf(framework: string, integrations: readonly string[]): string[] {
  const all = templates.manifest.integrations;
  if (integrations.length === 0) return ["base", framework];
  if (integrations.length < all.length) return [];
  const layers = new Set(all.flatMap(({ name, needs }) => [...needs, name]));
  // Not all that they share has code.
  return [...layers].filter((layer) => existsSync(join(PLATFORM_TESTS, layer)));
}

/** Lays the platform's own tests over a service's test/ folder, where they import ../../src/platform. */
export function layPlatformTests(directory: string, layers: readonly string[]): void {
  for (const layer of layers) {
    cpSync(join(PLATFORM_TESTS, layer), join(directory, "test"), {
      recursive: true,
      filter: (path) => !path.endsWith(`/${PACKAGES}`),
    });
  }
}

/** What the platform's tests need to be installed beside the services' own packages. */
export function packagesOfPlatformTests(): Record<string, string> {
  const files = readdirSync(PLATFORM_TESTS).map((layer) => join(PLATFORM_TESTS, layer, PACKAGES));
  return Object.assign({}, ...files.filter(existsSync).map(devDependenciesIn));
}

function devDependenciesIn(path: string): Record<string, string> {
  return JSON.parse(readFileSync(path, "utf8")).devDependencies;
}
