import { setTimeout as delay } from "node:timers/promises";
import { currentRequest } from "./context.ts";
import { AppError } from "./errors.ts";

export interface HttpClientOptions {
  /** How long one try may take, in milliseconds; 5,000 when left out. */
  timeoutMs?: number;
  /** How often a failed GET, HEAD, PUT or DELETE is tried again; 2 when left out. */
  retries?: number;
  /** What sends the request; the built-in `fetch` when left out. */
  fetch?: typeof fetch;
}

/** Calls other services over HTTP. */
export interface HttpClient {
  /**
   * `fetch` with the ids of the request at hand, a time-out, and retries of what is safe to repeat.
   * The trace context goes along by itself.
   * @returns the response, whatever its status.
   * @throws {AppError} EXTERNAL_SERVICE_ERROR when there is none.
   */
  fetch(url: string | URL, init?: RequestInit): Promise<Response>;
}

const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE"]);
const RETRIED_STATUS = new Set([429, 502, 503, 504]);
const FIRST_BACKOFF_MS = 100;

/** An HTTP client on the built-in `fetch`, which keeps connections open and pools them by itself. */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const { timeoutMs = 5_000, retries = 2, fetch: send = fetch } = options;

  async function once(url: string | URL, init: RequestInit): Promise<Response> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
    return send(url, { ...init, headers: withIds(init.headers), signal });
  }

  return {
    async fetch(url, init = {}) {
      const tries = IDEMPOTENT.has((init.method ?? "GET").toUpperCase()) ? retries + 1 : 1;
      for (let attempt = 1; ; attempt += 1) {
        const last = attempt === tries;
        try {
          const response = await once(url, init);
          if (last || !RETRIED_STATUS.has(response.status)) return response;
          await response.body?.cancel();
        } catch (cause) {
          init.signal?.throwIfAborted();
          if (last) {
            const { host } = new URL(url);
            throw new AppError("EXTERNAL_SERVICE_ERROR", "An upstream service did not answer", {
              cause: new Error(`no answer from ${host} after ${attempt} tries`, { cause }),
            });
          }
        }
        // Full jitter, so that callers that failed together do not come back together.
        await delay(Math.random() * FIRST_BACKOFF_MS * 2 ** attempt);
      }
    },
  };
}

function withIds(given: RequestInit["headers"]): Headers {
  const headers = new Headers(given);
  const request = currentRequest();
  if (request !== undefined) {
    headers.set("X-Request-ID", request.requestId);
    headers.set("X-Correlation-ID", request.correlationId);
  }
  return headers;
}
