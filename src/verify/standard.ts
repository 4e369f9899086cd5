/** The sentences of the standard that can be seen from outside, word for word. */
export const STANDARD = {
  health:
    'GET /health: 200 {"status":"healthy","version":"1.2.3"}; under 100 ms, never touches a dependency.',
  ready:
    'GET /health/ready: 200 {"status":"ready","checks":{"kafka":"healthy","dynamodb":"healthy"}}; 503 {"status":"not_ready","checks":{…"unhealthy"}} when a critical dependency fails. Optional dependencies are reported, never fail it.',
  notReady: "Also 503 while starting and while draining.",
  version: 'GET /health/version: {"service","version","environment"}',
  metrics:
    "GET /metrics on 8080: Prometheus text format, for the whole process group, not one worker",
  docs: "/docs, /redoc, /openapi.json: Swagger UI, Redoc, OpenAPI 3.1; off when ENVIRONMENT=prod; no CDN",
  validation: "Request AND response are validated from one declared schema.",
  boundary: "A bad request is refused at the boundary",
  brokenResponse: "a response that breaks its schema is a 500 and an error log, never sent.",
  requestId:
    "X-Request-ID: taken from the request (if it is sane: 1–128 of [A-Za-z0-9._-]) or a new UUID",
  requestIdEverywhere:
    "echoed on every response, in every log line, in error bodies, and sent on to downstream HTTP calls and Kafka headers.",
  correlationId: "X-Correlation-ID likewise (falls back to the request id).",
  cors: "CORS with configured origins; none by default. A stranger's request never gets Access-Control-Allow-Origin.",
  errorBody:
    'Error body, for every non-2xx, including 404 on unknown routes, 405, 413, 415 and malformed JSON: {"error":{"code","message","request_id","timestamp","details"?:[{"field","message"}]}}, timestamp ISO 8601 UTC.',
  codes:
    "VALIDATION_ERROR 400 · AUTH_ERROR 401 · FORBIDDEN 403 · NOT_FOUND 404 · METHOD_NOT_ALLOWED 405 · CONFLICT 409 · PAYLOAD_TOO_LARGE 413 · UNSUPPORTED_MEDIA_TYPE 415",
  internalError: "INTERNAL_ERROR 500 (generic message; never a stack, a path or an internal name).",
  errorLevels: "4xx are logged at info or warn, 5xx at error with the stack.",
  workers: "Workers = CPU count (not 2n+1), bind 0.0.0.0:8000",
  timeout: "timeout 120 s (a worker whose event loop hangs is killed and replaced)",
  graceful: "graceful timeout 30 s (in-flight requests finish).",
  stdout: "Access and error log on stdout.",
  settings:
    "Typed, validated at start (all problems listed at once, then exit), read once, from the environment and .env",
  settingNames:
    "ENVIRONMENT in {dev, stage, preprod, prod}; SERVICE_NAME, LOG_LEVEL, AWS_REGION (us-east-1), PORT, METRICS_PORT, CORS_ORIGINS, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER_ARG.",
  logs: "One JSON object a line on stdout: timestamp, level (a word), message, service_name, environment, version",
  logIds: "and inside a request request_id, correlation_id, trace_id (32 hex), span_id.",
  secrets: "Secrets are redacted.",
  otlp: "OTLP over gRPC (4317) to Grafana/Tempo.",
  resource: "Resource: service.name, service.version, deployment.environment.name.",
  sampling: "Batch processor; sampling ratio configurable, parent-based.",
  spans: "Spans for inbound HTTP (named by route), outbound HTTP",
  flush: "Flushed at shutdown.",
  collectorDown: "An unreachable collector never slows or breaks a request.",
  indistinguishable:
    "a generated Node service must be indistinguishable from one by its callers, by the load balancer, by Prometheus, by Tempo and by the log pipeline.",
} as const;
