export * from "../../../src/platform/dynamodb/memory-repository.ts";
