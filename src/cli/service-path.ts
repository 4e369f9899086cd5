import { posix } from "node:path";

/** A path that the user typed, as the plan has it: from the service's folder, with plain slashes. */
export function servicePath(typed: string): string {
  return posix.normalize(typed.replaceAll("\\", "/")).replace(/(?<=.)\/$/, "");
}
