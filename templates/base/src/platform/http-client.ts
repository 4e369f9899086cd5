import { setTimeout as delay } from "node:timers/promises";
import { currentRequest } from "./context.ts";
import { AppError } from "./errors.ts";
import { backoff } from "./timing.ts";

export interface HttpClientOptions {
  /** How long one try may take, in milliseconds; 5,000 when left out. */
  timeoutMs?: number;
  /** How often a failed GET, HEAD, PUT or DELETE is tried again; 2 when left out. */
  retries?: number;
  /** What sends the request; the built-in `fetch` when left out. */
  fetch?: typeof fetch;
}

export interface HttpRequest extends RequestInit {
  timeoutMs?: number;
}

/** Calls other services over HTTP. */
export interface HttpClient {
  /**
   * `fetch` with the ids of the request at hand, a time-out, and retries of what is safe to repeat: neither a POST nor a
   * stream. They wait as long as the upstream's Retry-After asks, unless that is too long for a caller.
   * The trace context goes along by itself.
   * @returns the response, whatever its status.
   * @throws {AppError} EXTERNAL_SERVICE_ERROR when there is none.
   */
  fetch(url: string | URL, init?: HttpRequest): Promise<Response>;
}

const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE"]);
const RETRIED_STATUS = new Set([429, 502, 503, 504]);
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

/** An HTTP client on the built-in `fetch`, which keeps connections open and pools them by itself. */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const { timeoutMs = 5_000, retries = 2, fetch: send = fetch } = options;

  return {
    async fetch(url, { timeoutMs: limitMs = timeoutMs, ...init } = {}) {
      const { signal } = init;
      const tries = isRepeatable(init) ? retries + 1 : 1;
      for (let attempt = 1; ; attempt += 1) {
        const last = attempt === tries;
        let waitMs = backoff(attempt, { firstMs: FIRST_WAIT_MS });
        try {
          const timeout = AbortSignal.timeout(limitMs);
          const response = await send(url, {
            ...init,
            headers: withIds(init.headers),
            signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
          });
          waitMs += retryAfter(response);
          const isFinal = last || !RETRIED_STATUS.has(response.status);
          if (isFinal || waitMs > LONGEST_WAIT_MS) return response;
          await response.body?.cancel();
        } catch (cause) {
          signal?.throwIfAborted();
          if (last) {
            const { host } = new URL(url);
            throw new AppError("EXTERNAL_SERVICE_ERROR", "An upstream service did not answer", {
              cause: new Error(`no answer from ${host} after ${attempt} tries`, { cause }),
            });
          }
        }
        await delay(waitMs, undefined, signal ? { signal } : {}).catch(() => {});
        signal?.throwIfAborted();
      }
    },
  };
}

function isRepeatable({ method = "GET", body }: RequestInit): boolean {
  const isStream = typeof body === "object" && body !== null && Symbol.asyncIterator in body;
  return IDEMPOTENT.has(method.toUpperCase()) && !isStream;
}

/** The milliseconds of a Retry-After header, which has seconds or a date. */
function retryAfter({ headers }: Response): number {
  const text = headers.get("retry-after") ?? "0";
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Math.max(0, ms || 0);
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
