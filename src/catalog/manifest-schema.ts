import * as z from "zod/mini";

import { InternalError } from "../errors.ts";

// Apart from the types, which everything needs: a create trusts the manifest that it was built with.
export const choiceSchema = z.strictObject({
  name: z.string(),
  title: z.string(),
  /** How it differs from the others. */
  summary: z._default(z.string(), ""),
});

/** A request that shows an integration at work, in memory, when a new service is verified. */
export const exampleSchema = z.strictObject({
  method: z.string(),
  /** "metrics"; the API's when left out. */
  port: z.optional(z.string()),
  path: z.string(),
  /** Text is sent as it is, anything else as JSON. */
  body: z.optional(z.unknown()),
  type: z.optional(z.string()),
  /** 200 when left out. */
  status: z.optional(z.number()),
  /** What the answer comes to hold after a while. */
  holds: z.optional(z.string()),
  /** The field of the answer that has a URL to get. */
  url: z.optional(z.string()),
});

export const integrationSchema = z.strictObject({
  name: z.string(),
  title: z.string(),
  summary: z.string(),
  /** A service without it is not ready. */
  critical: z.boolean(),
  /** Shared layers that no user picks, such as the AWS client settings of two integrations. */
  needs: z._default(z.array(z.string()), []),
  /** It has work beside the requests, for which the service runs one more process */
  background: z._default(z.boolean(), false),
  examples: z.optional(z.array(exampleSchema)),
});

export const packageManagerSchema = z.strictObject({
  name: z.string(),
  lockfile: z.string(),
  /** What an install reads, for the container's dependency layer. */
  installFiles: z.string(),
  setup: z.string(),
  install: z.string(),
  ci: z.string(),
  ciProduction: z.string(),
  run: z.string(),
  test: z.string(),
  exec: z.string(),
});

export const manifestSchema = z.strictObject({
  frameworks: z.array(choiceSchema).check(z.minLength(1)),
  integrations: z.array(integrationSchema),
  /** The places in base files where every integration may put a piece. */
  slots: z.array(z.string()),
  /** Paths, or folders as `src/routes/**`, that are the user's from the day they are written. */
  once: z.array(z.string()),
  packageManagers: z.array(packageManagerSchema).check(z.minLength(1)),
});

/** Checks the text of templates/manifest.json. */
export function parseManifest(data: unknown): z.infer<typeof manifestSchema> {
  const result = manifestSchema.safeParse(data);
  if (!result.success) {
    throw new InternalError(`manifest.json: ${z.prettifyError(result.error)}`);
  }
  return result.data;
}
