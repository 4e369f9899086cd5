import { MemoryRepository } from "../../platform/dynamodb/memory-repository.ts";
import type { Repository } from "../../platform/dynamodb/repository.ts";
import { TableRepository } from "../../platform/dynamodb/table-repository.ts";
import { openTable, type TableSettings } from "../../platform/dynamodb/table.ts";
import type { Integration } from "../../platform/lifespan.ts";
import { type Receipt, receiptEntity } from "./receipt.ts";

/** What handlers get as `deps.dynamodb`: a repository for each kind of thing in the table. Add yours here. */
export interface DynamoDb {
  receipts: Repository<Receipt>;
  check(): Promise<void>;
  close(): void;
}

export const dynamodb: Integration<DynamoDb, TableSettings> = {
  async open(settings, log, metrics) {
    const table = await openTable(settings, metrics, log);
    return {
      receipts: new TableRepository(table, receiptEntity),
      check: table.check,
      close: table.close,
    };
  },
  openInMemory: () => ({
    receipts: new MemoryRepository(receiptEntity),
    check: async () => {},
    close() {},
  }),
  check: (client) => client.check(),
  close: (client) => client.close(),
};
