import { blobId } from "../../src/plan/blob-id.ts";
import type { Change } from "../../src/plan/plan.ts";

interface Version {
  text: string;
  mode?: number;
}

/** A change of one file, of which either end may be missing. */
export function change(path: string, before: Version | null, after: Version | null): Change {
  const kind = before === null ? "create" : after === null ? "delete" : "update";
  return {
    path,
    kind,
    before: before && { id: blobId(Buffer.from(before.text)), mode: before.mode ?? 0o644 },
    after: after && { bytes: Buffer.from(after.text), mode: after.mode ?? 0o644 },
    conflicts: 0,
    notes: [],
  };
}
