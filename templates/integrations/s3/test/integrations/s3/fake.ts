import type { ObjectStorage } from "../../../src/integrations/s3/index.ts";
import { MemoryStore } from "../../../src/platform/s3/memory-store.ts";

/** S3 in memory: what tests get as `deps.s3`. */
export function createFake(): ObjectStorage {
  return { images: new MemoryStore(), check: async () => {}, close() {} };
}
