"""A service to the Fetch standard the way a FastAPI team writes it: `create-fetch-service verify` is held against it."""

import os
import re
import sys
import time
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from prometheus_client import Counter
from pydantic import BaseModel, Field, StringConstraints
from starlette.exceptions import HTTPException as StarletteHTTPException

from settings import VERSION, settings

os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: E402

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
LIMIT = 1_048_576
# Uvicorn closes the connection after an early answer, and the caller may never see it: so much is read before.
READ_BEFORE_REFUSAL = 64 * LIMIT
CODES = {
    400: "VALIDATION_ERROR",
    401: "AUTH_ERROR",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    500: "INTERNAL_ERROR",
}
LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40}
# Shared with the primary, which sets it; see gunicorn.conf.py.
draining = None


def add_trace(logger, method, event):
    context = trace.get_current_span().get_span_context()
    event.setdefault("trace_id", format(context.trace_id, "032x"))
    event.setdefault("span_id", format(context.span_id, "016x"))
    return event


structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        add_trace,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.TimeStamper(fmt="iso", key="timestamp"),
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ],
    wrapper_class=structlog.make_filtering_bound_logger(LEVELS[settings.LOG_LEVEL]),
    logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
)
log = structlog.get_logger().bind(
    service_name=settings.SERVICE_NAME, environment=settings.ENVIRONMENT, version=VERSION
)

# A Gunicorn worker is its own process: the provider is made in it, and its batches are sent before it ends.
provider = TracerProvider(
    sampler=ParentBasedTraceIdRatio(settings.OTEL_TRACES_SAMPLER_ARG),
    resource=Resource.create(
        {
            "service.name": settings.SERVICE_NAME,
            "service.version": VERSION,
            "deployment.environment.name": settings.ENVIRONMENT,
        }
    ),
)
trace.set_tracer_provider(provider)
requests_total = Counter("http_requests_total", "HTTP requests.", ["method", "route", "status"])


@asynccontextmanager
async def lifespan(app):
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        exporter = OTLPSpanExporter(endpoint=str(settings.OTEL_EXPORTER_OTLP_ENDPOINT), insecure=True, timeout=5)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    yield
    provider.shutdown()


class Detail(BaseModel):
    field: str
    message: str


class ErrorFields(BaseModel):
    code: str
    message: str
    request_id: str
    timestamp: datetime
    details: list[Detail] | None = None


class Error(BaseModel):
    error: ErrorFields


ERRORS = {status: {"model": Error} for status in (400, 404, 405, 413, 415, 500)}
documented = settings.ENVIRONMENT != "prod"
make = FastAPIOffline if documented else FastAPI
urls = {} if documented else {"docs_url": None, "redoc_url": None, "openapi_url": None}
app = make(title=settings.SERVICE_NAME, version=VERSION, lifespan=lifespan, redirect_slashes=False, **urls)


def describe():
    """FastAPI describes its own 422, which nobody gets here."""
    document = FastAPI.openapi(app)
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    return document


app.openapi = describe


def error_body(request_id, status, message, details=None):
    error = {
        "code": CODES.get(status, "INTERNAL_ERROR" if status >= 500 else "VALIDATION_ERROR"),
        "message": message,
        "request_id": request_id,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    if details:
        error["details"] = details
    return {"error": error}


def failure(request: Request, status, message, details=None, headers=None):
    body = error_body(request.scope["request_id"], status, message, details)
    return JSONResponse(body, status, headers)


@app.exception_handler(StarletteHTTPException)
async def on_http_error(request, error):
    return failure(request, error.status_code, str(error.detail), headers=error.headers)


@app.exception_handler(RequestValidationError)
async def on_invalid(request, error):
    if "application/json" != request.headers.get("content-type", "").split(";")[0].strip().lower():
        return failure(request, 415, "The body must be JSON")
    details = [
        {"field": ".".join(str(part) for part in problem["loc"][1:]), "message": problem["msg"]}
        for problem in error.errors()[:100]
    ]
    return failure(request, 400, "The request is not valid", details)


class Middleware:
    """Ids, limit, access line, metrics and the generic 500, around whatever answers."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        given = [value.decode("latin1") for name, value in scope["headers"] if name == b"x-request-id"]
        request_id = given[0] if len(given) == 1 and SANE_ID.fullmatch(given[0]) else str(uuid.uuid4())
        correlation = dict(scope["headers"]).get(b"x-correlation-id", b"").decode("latin1")
        correlation_id = correlation if SANE_ID.fullmatch(correlation) else request_id
        scope["request_id"] = request_id
        span = trace.get_current_span().get_span_context()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=request_id,
            correlation_id=correlation_id,
            trace_id=format(span.trace_id, "032x"),
            span_id=format(span.span_id, "016x"),
        )
        status = 500
        begun = False
        taken = 0

        async def limited():
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LIMIT:
                await read_on(message)
                raise HTTPException(413, "The body is too large")
            return message

        async def read_on(message):
            left = READ_BEFORE_REFUSAL
            while message.get("more_body") and left > 0:
                message = await receive()
                left -= len(message.get("body", b""))

        async def send_with_ids(message):
            nonlocal status, begun
            if message["type"] == "http.response.start":
                begun = True
                status = message["status"]
                message["headers"] += [
                    (b"x-request-id", request_id.encode()),
                    (b"x-correlation-id", correlation_id.encode()),
                ]
            await send(message)

        try:
            length = dict(scope["headers"]).get(b"content-length", b"0")
            if length.isdigit() and int(length) > LIMIT:
                if int(length) <= READ_BEFORE_REFUSAL:
                    await read_on({"more_body": True})
                await failure(Request(scope), 413, "The body is too large")(scope, receive, send_with_ids)
            else:
                await self.app(scope, limited, send_with_ids)
        except Exception:
            log.exception("request failed")
            if begun:
                raise
            answer = failure(Request(scope), 500, "Something went wrong")
            await answer(scope, receive, send_with_ids)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            if status >= 400 or not route.startswith("/health"):
                requests_total.labels(scope["method"], route, str(status)).inc()
                log.info(
                    "request completed",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 3),
                )


if settings.CORS_ORIGINS:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.CORS_ORIGINS.split(","),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["X-Request-ID", "X-Correlation-ID"],
    )
app.add_middleware(Middleware)


@app.get("/health", responses=ERRORS)
async def health():
    return {"status": "healthy", "version": VERSION}


@app.get("/health/ready", responses=ERRORS)
async def ready():
    if draining is not None and draining.value:
        return JSONResponse({"status": "not_ready", "checks": {}}, 503)
    return {"status": "ready", "checks": {}}


@app.get("/health/version", responses=ERRORS)
async def version():
    return {"service": settings.SERVICE_NAME, "version": VERSION, "environment": settings.ENVIRONMENT}


Amount = Annotated[str, StringConstraints(pattern=r"^\d{1,10}\.\d{2}$"), Field(examples=["1.25"])]


class Item(BaseModel):
    shortDescription: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    price: Amount


class Receipt(BaseModel):
    retailer: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    items: Annotated[list[Item], Field(min_length=1, max_length=1000)]
    total: Amount


class Points(BaseModel):
    points: int


@app.post("/api/v1/receipts/points", responses=ERRORS)
async def score(receipt: Receipt) -> Points:
    return Points(points=len(receipt.items) // 2 * 5)


def hide_query(span, scope):
    # It may hold a token, and a trace is kept for long.
    if scope.get("query_string"):
        span.set_attribute("url.query", "[redacted]")


FastAPIInstrumentor.instrument_app(
    app,
    excluded_urls="health$,health/.*",
    exclude_spans=["receive", "send"],
    server_request_hook=hide_query,
)
