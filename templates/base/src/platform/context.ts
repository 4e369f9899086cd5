import { AsyncLocalStorage } from "node:async_hooks";

/** What is known of the request that the running code works for. */
export interface RequestContext {
  readonly requestId: string;
  readonly correlationId: string;
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** The request that the calling code works for, or undefined outside of any. Holds through await and timers. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** Runs `work` as part of the request `context`. */
export function runInRequest<Result>(context: RequestContext, work: () => Result): Result {
  return storage.run(context, work);
}
