import type { Finding } from "../../plan.ts";

/** What was decided for the user while merging. */
export type Note = Pick<Finding, "kind" | "message">;

export interface Merged {
  text: string;
  /** Blocks between conflict marks. */
  conflicts: number;
  notes: Note[];
}
