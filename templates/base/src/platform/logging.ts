import { type Logger, pino, stdTimeFunctions } from "pino";
import { currentRequest } from "./context.ts";
import { type Output, stdout } from "./observability/stdout.ts";

export type { Logger } from "pino";

interface LogSettings {
  LOG_LEVEL: string;
  SERVICE_NAME: string;
  ENVIRONMENT: string;
  VERSION: string;
}

// What a name contains or ends in when its value is nobody's business.
const SECRET = String.raw`(?:authorization|cookie|passw|secret|token|credential)[^"\\]*|[\w-]keys?`;
const isSecret = new RegExp(`(?:${SECRET})$`, "i");
const hasSecret = new RegExp(`(?:${SECRET})":`, "i");

/**
 * Takes the values out of a line that stand under such a name, at any depth. In the text, because only there is all of it
 * together: the object, what its `toJSON` made of it, and the fields of child loggers.
 */
function redact(line: string): string {
  if (!hasSecret.test(line)) return line;
  const clean: unknown = JSON.parse(line, (name, value: unknown) =>
    isSecret.test(name) ? "[redacted]" : value,
  );
  return `${JSON.stringify(clean)}\n`;
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
 * and inside a request its request_id, correlation_id, trace_id and span_id.
 * @param destination where the lines go; stdout when left out.
 */
export function createLogger(settings: LogSettings, destination: Output = stdout): Logger {
  return pino(
    {
      level: settings.LOG_LEVEL,
      messageKey: "message",
      errorKey: "error",
      base: logFields(settings),
      timestamp: () => stdTimeFunctions.isoTime().replace('"time"', '"timestamp"'),
      formatters: { level: (label) => ({ level: label }) },
      mixin: requestFields,
      hooks: { streamWrite: redact },
    },
    destination,
  );
}

function requestFields(): object {
  const request = currentRequest();
  if (request === undefined) return {};
  return {
    request_id: request.requestId,
    correlation_id: request.correlationId,
    trace_id: request.traceId,
    span_id: request.spanId,
  };
}
