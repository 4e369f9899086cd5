import { type Backoff, createBackoff } from "./backoff.ts";
import type { Role } from "./orders.ts";

/** The workers of one role: how many there should be, and when the dead are replaced. */
export interface Pool {
  readonly role: Role;
  /** How many there should be; TTIN and TTOU move it for web. */
  desired: number;
  readonly backoff: Backoff;
  /** No worker is spawned before. */
  spawnAfter: number;
}

/** A pool of each role. What befalls the one holds up no replacement in the other. */
export function createPools(desired: Record<Role, number>): Record<Role, Pool> {
  const pool = (role: Role): Pool => ({
    role,
    desired: desired[role],
    backoff: createBackoff(),
    spawnAfter: 0,
  });
  return { web: pool("web"), background: pool("background") };
}
