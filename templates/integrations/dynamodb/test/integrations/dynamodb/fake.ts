import type { DynamoDb } from "../../../src/integrations/dynamodb/index.ts";
import { receiptEntity } from "../../../src/integrations/dynamodb/receipt.ts";
import { MemoryRepository } from "../../../src/platform/dynamodb/memory-repository.ts";

/** DynamoDB in memory: what tests get as `deps.dynamodb`. */
export function createFake(): DynamoDb {
  return {
    receipts: new MemoryRepository(receiptEntity),
    check: async () => {},
    close() {},
  };
}
