import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { awsErrorName, awsFailure } from "../aws-errors.ts";
import { callOptions } from "../aws.ts";
import { backoff } from "../timing.ts";
import { conflict } from "./items.ts";
import type { PlannedWrite } from "./repository.ts";
import type { Table } from "./table.ts";

const CONFLICT_TRIES = 4;

interface CancelledTransaction {
  CancellationReasons?: { Code?: string }[];
}

/** A write that waits to be done with others. */
export class TableWrite implements PlannedWrite {
  readonly #table: Table;
  readonly #item: object;

  constructor(table: Table, item: object) {
    this.#table = table;
    this.#item = item;
  }

  async transact(writes: readonly PlannedWrite[], signal?: AbortSignal): Promise<void> {
    const TransactItems = writes.map((write) => {
      if (!(write instanceof TableWrite)) throw new Error("a transaction is for one table");
      return write.#item;
    });
    // With it, a retry whose first try had been done is not done twice.
    const input = { TransactItems, ClientRequestToken: randomUUID() };
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#table.document.transactWrite(input, callOptions(signal));
        return;
      } catch (error) {
        const { CancellationReasons = [] } = error as CancelledTransaction;
        const codes = CancellationReasons.map(({ Code }) => Code);
        if (codes.includes("ConditionalCheckFailed")) throw conflict();
        const isContended = codes.includes("TransactionConflict");
        if (awsErrorName(error) === "ValidationException") throw error;
        if (!isContended) throw awsFailure(error);
        if (attempt === CONFLICT_TRIES) throw conflict();
        await delay(backoff(attempt, { firstMs: 30 }), undefined, signal && { signal });
      }
    }
  }
}
