import { createHash } from "node:crypto";

/** The id that git gives to these bytes, so that git can say whether a file changed. */
export function blobId(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}
