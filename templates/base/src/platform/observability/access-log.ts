import { levels } from "pino";
import { isProbe } from "../health.ts";
import type { Exchange } from "../http/exchange.ts";
import { logFields, type Output, stdout } from "../logging.ts";
import { escapeControls } from "./log-fields.ts";

/** Writes one line for every request, in the format of the service's log. */
export interface AccessLog extends Disposable {
  /** @param seconds how long the answer took. */
  write(request: Exchange, status: number, seconds: number): void;
  /** Writes out the lines that still wait. */
  flush(): void;
}

const FLUSH_BYTES = 65_536;
const LONGEST_LINE_BYTES = 8_192;
const FLUSH_MS = 100;
// What callers choose is cut, so that no line is longer than what a pipe takes in one piece.
const PATH_CHARS = 1_024;
const AGENT_CHARS = 256;
const ADDRESS_CHARS = 64;

/**
 * Built by hand and written in bulk, because this is the one line that every request pays for: through pino it cost a
 * third of a request. Lines wait at most 100 ms; what waits is written on exit, also after a crash.
 * Probes that succeed are only logged at debug.
 */
export function createAccessLog(
  settings: { LOG_LEVEL: string; SERVICE_NAME: string; ENVIRONMENT: string; VERSION: string },
  output?: Output,
): AccessLog {
  const threshold = levels.values[settings.LOG_LEVEL] ?? levels.values.info!;
  const enabled = threshold <= levels.values.info!;
  const probes = threshold <= levels.values.debug!;
  const fixed = JSON.stringify({ ...logFields(settings), worker_pid: process.pid }).slice(1, -1);
  // Bytes, because a text of so many pieces would keep all of them alive until it is written.
  const waiting = Buffer.allocUnsafeSlow(FLUSH_BYTES + LONGEST_LINE_BYTES);
  let used = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (used === 0) return;
    const lines = waiting.subarray(0, used);
    used = 0;
    if (output === undefined) stdout.write(lines);
    else output.write(lines.toString());
  }
  process.once("exit", flush);

  return {
    flush,
    [Symbol.dispose]() {
      process.off("exit", flush);
      flush();
    },
    write(request, status, seconds) {
      const probe = status < 400 && isProbe(request.route);
      if (!enabled || (probe && !probes)) return;
      const line = accessLine(request, status, seconds, fixed, probe ? "debug" : "info");
      used += waiting.write(line, used);
      if (used >= FLUSH_BYTES) flush();
      else timer ??= setTimeout(flush, FLUSH_MS).unref();
    },
  };
}

// The ids need no escaping: they are hex digits, or were checked on the way in.
function accessLine(
  request: Exchange,
  status: number,
  seconds: number,
  fixed: string,
  level: string,
): string {
  const { requestId, correlationId, traceId, spanId, req, path, route, bytesSent } = request;
  const userAgent = req.headers["user-agent"];
  return (
    `{"level":"${level}","timestamp":"${now()}",${fixed},"request_id":"${requestId}",` +
    `"correlation_id":"${correlationId}","trace_id":"${traceId}","span_id":"${spanId}",` +
    `"method":"${req.method}","path":${quote(path, PATH_CHARS)},"route":${quote(route, PATH_CHARS)},"status":${status},` +
    `"duration_ms":${(seconds * 1e3).toFixed(3)},"remote_ip":${quote(request.remoteAddress, ADDRESS_CHARS)},"bytes":${bytesSent},` +
    (userAgent === undefined ? "" : `"user_agent":${quote(userAgent, AGENT_CHARS)},`) +
    `"message":"request completed"}\n`
  );
}

// ASCII that needs no escape in JSON.
const PLAIN = /^[ !#-[\]-~]*$/;

function quote(text: string, limit: number): string {
  if (PLAIN.test(text)) return text.length <= limit ? `"${text}"` : `"${text.slice(0, limit)}…"`;
  // Escaped, a character takes up to six bytes.
  const kept = text.length > limit / 4 ? `${text.slice(0, limit / 4)}…` : text;
  return escapeControls(JSON.stringify(kept));
}

let nowMs = 0;
let nowText = "";

/** The time as ISO 8601, made once a millisecond. */
function now(): string {
  const ms = Date.now();
  if (ms !== nowMs) {
    nowMs = ms;
    nowText = new Date(ms).toISOString();
  }
  return nowText;
}
