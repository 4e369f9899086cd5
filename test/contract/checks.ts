import type { Check } from "../../src/verify/check.ts";
import { CHECKS } from "../../src/verify/run-contract.ts";
import { receiptChecks } from "./receipts.ts";

/** The contract, and what it says of the example that a generated service begins with. */
export const ALL_CHECKS: readonly Check[] = [...receiptChecks, ...CHECKS];
