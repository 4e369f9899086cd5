import { decode } from "./merge/three-way/encoding.ts";
import { toJson } from "./state.ts";

/** A difference from the template that the team wants: the file as it is, or that it is not there. */
export interface Accepted {
  /** The id of the file without its formatting; none when its absence is accepted. */
  blob?: string | undefined;
  reason?: string | undefined;
}

export type AcceptedFiles = ReadonlyMap<string, Accepted>;

/** A state file with these accepted differences in place of those that it has. */
export function withAccepted(stateFile: Uint8Array, accepted: AcceptedFiles): Uint8Array {
  const text = (decode(stateFile) ?? "").replace(/^\uFEFF/, "");
  const { accepted: _, ...state } = JSON.parse(text) as Record<string, unknown>;
  const entries = [...accepted].sort(([a], [b]) => (a < b ? -1 : 1));
  const data = entries.length > 0 ? { ...state, accepted: Object.fromEntries(entries) } : state;
  // The team's formatter may have indented it otherwise.
  const [indent = "  "] = /(?<=^\{\s*\n)[ \t]+/.exec(text) ?? [];
  const indented = toJson(data).replaceAll(/^(?: {2})+/gm, (spaces) =>
    indent.repeat(spaces.length / 2),
  );
  return Buffer.from(`${indented}\n`);
}
