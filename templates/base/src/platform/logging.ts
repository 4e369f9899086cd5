import { type Logger, pino, stdTimeFunctions } from "pino";
import { currentRequest } from "./context.ts";
import { version } from "./package-info.ts";
import { type Output, stdout } from "./stdout.ts";

export type { Logger } from "pino";

interface LogSettings {
  LOG_LEVEL: string;
  SERVICE_NAME: string;
  ENVIRONMENT: string;
}

// Wherever a log object carries one of these, down to three levels, the value is not written.
const SECRETS = ["authorization", "cookie", "password", "secret", "token", "api_key", "apiKey"];
const redact = {
  paths: SECRETS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
  censor: "[redacted]",
};

/** The fields that every log line has. */
export function logFields(settings: LogSettings): Record<string, string> {
  return {
    service_name: settings.SERVICE_NAME,
    environment: settings.ENVIRONMENT,
    version,
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
      redact,
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
