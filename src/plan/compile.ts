import Handlebars from "handlebars";

import type { CompiledTemplate } from "../catalog/templates.ts";

/**
 * Code is not HTML, so nothing is escaped; a value that the context lacks is an error, not an empty
 * string. The bundle's precompiled templates are made with the same options.
 */
export const COMPILE_OPTIONS = {
  noEscape: true,
  strict: true,
  knownHelpersOnly: true,
} as const;

const handlebars = Handlebars.create();

/** Compiles a template when it is first used. */
export function compileTemplate(source: string): CompiledTemplate {
  return handlebars.compile(source, COMPILE_OPTIONS);
}
