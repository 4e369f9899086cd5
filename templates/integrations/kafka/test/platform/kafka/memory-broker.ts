export * from "../../../src/platform/kafka/memory-broker.ts";
