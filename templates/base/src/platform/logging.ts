import { fstatSync, writeSync } from "node:fs";
import { isSpanContextValid, trace } from "@opentelemetry/api";
import { type Logger, pino, stdTimeFunctions } from "pino";
import { scopes } from "./context.ts";
import { cleanText, createFieldCleaner, fitLine } from "./observability/log-fields.ts";

export type { Logger } from "pino";

interface LogSettings {
  LOG_LEVEL: string;
  SERVICE_NAME: string;
  ENVIRONMENT: string;
  VERSION: string;
  /** Names of fields whose values are secrets, on top of the usual ones. */
  LOG_SECRETS?: readonly string[];
}

/** The fields that every log line has. */
export function logFields(settings: LogSettings): Record<string, string> {
  return {
    service_name: settings.SERVICE_NAME,
    environment: settings.ENVIRONMENT,
    version: settings.VERSION,
  };
}

/**
 * The service's logger: one JSON object a line with timestamp, level, message, service_name, environment and version,
 * and inside a request its request_id, correlation_id, trace_id and span_id. Values under the name of a secret are left
 * out, at any depth, and no line is longer than 4 kB and a stack.
 * @param destination where the lines go; stdout when left out.
 */
export function createLogger(settings: LogSettings, destination: Output = stdout): Logger {
  const clean = createFieldCleaner(settings.LOG_SECRETS ?? []);
  const log = pino(
    {
      level: settings.LOG_LEVEL,
      messageKey: "message",
      errorKey: "error",
      base: logFields(settings),
      timestamp: () => stdTimeFunctions.isoTime().replace('"time"', '"timestamp"'),
      formatters: { level: (label) => ({ level: label }) },
      // Errors are plain data by then.
      serializers: { err: (error: unknown) => error, message: cleanText },
      mixin: requestFields,
      mixinMergeStrategy: (fields, ids) => ({ ...ids, ...clean(fields) }),
      hooks: {
        logMethod(args, method) {
          // What a message is made from, with %o and %j.
          const [first, ...rest] = args.map((value: unknown, index) =>
            index > 0 && typeof value === "object" && value !== null
              ? clean({ value }).value
              : value,
          );
          method.apply(this, [withErrorKey(first), ...rest] as Parameters<typeof method>);
        },
        streamWrite: fitLine,
      },
    },
    destination,
  );
  // Pino does not format the fields of child loggers, which inherit these two.
  const { child, setBindings } = log;
  log.child = function cleanChild(bindings, options) {
    return child.call(this, { ...clean(bindings) }, options) as never;
  };
  log.setBindings = function setCleanBindings(bindings) {
    setBindings.call(this, { ...clean(bindings) });
  };
  return log;
}

/** Errors under the name that Fastify, its plugins and habit give them go by ours. */
function withErrorKey(fields: unknown): unknown {
  if (!((fields as { err?: unknown } | null | undefined)?.err instanceof Error)) return fields;
  const { err: error, ...others } = fields as { err: Error };
  return { error, ...others };
}

/** Where the line was written: in a custom span its ids, in a request the request's. */
function requestFields(): object {
  const { request, telemetry } = scopes.getStore() ?? {};
  const span = telemetry === undefined ? undefined : trace.getSpanContext(telemetry);
  const { traceId, spanId } = (span && isSpanContextValid(span) ? span : request) ?? {};
  return {
    ...(request && { request_id: request.requestId, correlation_id: request.correlationId }),
    ...(traceId !== undefined && { trace_id: traceId, span_id: spanId }),
  };
}

/** Takes whole lines, each with its line feed. */
export interface Output {
  write(lines: string): void;
}

/** PIPE_BUF: so much goes into a pipe in one piece, whoever else writes to it. */
const PIPE_BYTES = 4_096;
const RETRY_MS = 5;
const LINE_FEED = 10;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes to `fd` at once, because lines that wait in memory are lost in a crash. All processes of the service share it,
 * and in a pipe that is full, their longer pieces would tear each other apart: a pipe gets whole lines in pieces that it
 * takes as one. Only a single line that is longer than that is at risk. What cannot be written at all is dropped: no
 * request shall fail because nobody reads the log.
 */
export function openOutput(fd: number): { write(lines: string | Buffer): void } {
  const stat = fstatSync(fd);
  const limit = stat.isFIFO() || stat.isSocket() ? PIPE_BYTES : Infinity;
  return {
    write(lines) {
      const bytes = typeof lines === "string" ? Buffer.from(lines) : lines;
      try {
        for (let start = 0; start < bytes.length;) {
          const end = endOfPiece(bytes, start, limit);
          writeAll(fd, bytes.subarray(start, end));
          start = end;
        }
      } catch {
        // The reader is gone, or the disk is full, and there is nobody to tell.
      }
    },
  };
}

export const stdout = openOutput(1);

/** Where the last line ends that fits into `limit`; else the first one. */
function endOfPiece(bytes: Buffer, start: number, limit: number): number {
  if (bytes.length - start <= limit) return bytes.length;
  const last = bytes.lastIndexOf(LINE_FEED, start + limit - 1);
  return last >= start ? last + 1 : bytes.indexOf(LINE_FEED, start) + 1 || bytes.length;
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      // Some process that has the pipe made it non-blocking, and it is full: its reader takes its time.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}
