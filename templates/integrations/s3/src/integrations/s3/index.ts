import type { Integration } from "../../platform/lifespan.ts";
import { BucketStore } from "../../platform/s3/bucket-store.ts";
import { type BucketSettings, openBucket } from "../../platform/s3/bucket.ts";
import type { ContentStore } from "../../platform/s3/content-store.ts";
import { serveMemoryStore } from "../../platform/s3/memory-server.ts";

/** What handlers get as `deps.s3`. */
export interface ObjectStorage {
  images: ContentStore;
  check(): Promise<void>;
  close(): void;
}

export const s3: Integration<ObjectStorage, BucketSettings> = {
  async open(settings, log, metrics) {
    const bucket = await openBucket(settings, metrics);
    return { images: new BucketStore(bucket, log), check: bucket.check, close: bucket.close };
  },
  async openInMemory() {
    const { store, close } = await serveMemoryStore();
    return { images: store, check: async () => {}, close };
  },
  check: (client) => client.check(),
  close: (client) => client.close(),
};
