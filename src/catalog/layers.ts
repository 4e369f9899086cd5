import type { Integration, Manifest } from "./manifest.ts";

/** The chosen integrations in the manifest's order, in which they are also written. */
export function chosenIntegrations(manifest: Manifest, names: readonly string[]): Integration[] {
  return manifest.integrations.filter((integration) => names.includes(integration.name));
}

/** The template folders of a service, from the lowest layer to the highest. */
export function layersOf(
  manifest: Manifest,
  answers: { framework: string; packageManager: string; integrations: readonly string[] },
): string[] {
  const integrations = chosenIntegrations(manifest, answers.integrations);
  const shared = new Set(integrations.flatMap((integration) => integration.needs));
  return [
    "base",
    `framework/${answers.framework}`,
    `package-manager/${answers.packageManager}`,
    ...[...shared].sort().map((name) => `shared/${name}`),
    ...integrations.map((integration) => `integrations/${integration.name}`),
  ];
}
