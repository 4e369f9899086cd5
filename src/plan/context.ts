import type * as z from "zod/mini";

import type { Answers } from "../answers/schema.ts";
import { chosenIntegrations } from "../catalog/layers.ts";
import { entryNamed } from "../catalog/manifest.ts";
import type { Templates } from "../catalog/templates.ts";
import type { contextSchema } from "./context-schema.ts";

/** What a template may use. */
export type Context = Readonly<z.infer<typeof contextSchema>>;

/** The pieces that the layers put into each slot, in the order of the layers. */
export type Slots = Record<string, string[]>;

/** A record with every slot of the manifest, still empty. */
export function emptySlots(templates: Templates): Slots {
  return Object.fromEntries(templates.manifest.slots.map((name) => [name, []]));
}

/** What the templates see of the answers. */
export function contextOf(templates: Templates, answers: Answers, slots: Slots): Context {
  const { manifest, version } = templates;
  return {
    name: answers.name,
    description: answers.description,
    descriptionJson: quote(answers.description),
    team: answers.team,
    teamJson: quote(answers.team),
    port: answers.port,
    metricsPort: answers.metricsPort,
    framework: entryNamed(manifest.frameworks, answers.framework),
    packageManager: entryNamed(manifest.packageManagers, answers.packageManager),
    integrations: chosenIntegrations(manifest, answers.integrations).map(
      ({ name, title, summary, critical, background }) => ({
        name,
        title,
        summary,
        critical,
        background,
      }),
    ),
    slots,
    templateVersion: version,
  };
}

// What JSON allows raw in a string, but YAML or a line-based tool does not.
const UNSAFE = /[\u007F-\u009F\u2028\u2029\uFEFF\uFFFE\uFFFF]/g;

/** A literal, with its quotes, that JSON, YAML and TypeScript read as the same text. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
