import * as z from "zod/mini";

import {
  choiceSchema,
  integrationSchema,
  packageManagerSchema,
} from "../catalog/manifest-schema.ts";

/** The only values that a template may use. Casing and quoting are done here, never in a template. */
export const contextSchema = z.strictObject({
  name: z.string(),
  description: z.string(),
  descriptionJson: z.string(),
  team: z.string(),
  teamJson: z.string(),
  port: z.number(),
  metricsPort: z.number(),
  framework: choiceSchema,
  packageManager: packageManagerSchema,
  integrations: z.array(z.omit(integrationSchema, { needs: true })),
  slots: z.record(z.string(), z.array(z.string())),
  templateVersion: z.string(),
});
