export * from "../../../src/platform/s3/memory-store.ts";
