"""The same contract as the generated service, the way a FastAPI team writes it: the yardstick of the old world.

Validation in and out, dependencies by parameter, request ids in every log line, secrets redacted, CORS, one JSON access
line per request, Prometheus metrics of the process group, sampled traces.
"""

import os
import re
import sys
import time
import unicodedata
import uuid
from dataclasses import dataclass
from typing import Annotated

import orjson
import structlog
from fastapi import Depends, FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import BaseModel, Field, StringConstraints

SERVICE, VERSION = os.environ["SERVICE_NAME"], "0.1.0"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

SECRETS = {"authorization", "cookie", "password", "secret", "token", "api_key"}


def add_trace(logger, method, event):
    context = trace.get_current_span().get_span_context()
    event["trace_id"] = format(context.trace_id, "032x")
    event["span_id"] = format(context.span_id, "016x")
    return event


def redact(logger, method, event):
    for key in event.keys() & SECRETS:
        event[key] = "[redacted]"
    return event


# Every line inside a request has its ids, and none has a secret: the access line as any other.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        add_trace,
        redact,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", key="timestamp"),
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ],
    logger_factory=structlog.BytesLoggerFactory(file=sys.stdout.buffer),
    cache_logger_on_first_use=True,
)
log = structlog.get_logger().bind(service_name=SERVICE, environment="stage", version=VERSION)

provider = TracerProvider(
    sampler=ParentBasedTraceIdRatio(float(os.environ["OTEL_TRACES_SAMPLER_ARG"])),
    resource=Resource.create({"service.name": SERVICE, "service.version": VERSION}),
)
provider.add_span_processor(
    BatchSpanProcessor(OTLPSpanExporter(endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], insecure=True))
)
trace.set_tracer_provider(provider)

duration = Histogram(
    "http_server_request_duration_seconds",
    "Duration of HTTP requests.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=BOUNDS,
)
active = Gauge("http_server_active_requests", "HTTP requests being answered now.", multiprocess_mode="livesum")
Amount = Annotated[str, StringConstraints(pattern=r"^\d{1,10}\.\d{2}$")]


class Item(BaseModel):
    shortDescription: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    price: Amount


class Receipt(BaseModel):
    retailer: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    purchaseDate: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    purchaseTime: Annotated[str, StringConstraints(pattern=r"^\d{2}:\d{2}$")]
    items: Annotated[list[Item], Field(min_length=1, max_length=1000)]
    total: Amount


class Award(BaseModel):
    rule: str
    points: Annotated[int, Field(ge=1)]


class Points(BaseModel):
    points: Annotated[int, Field(ge=0)]
    breakdown: list[Award]


class Rule(BaseModel):
    name: str
    description: str


class Rules(BaseModel):
    rules: list[Rule]


class Count(BaseModel):
    count: int


class Health(BaseModel):
    status: str
    version: str


def cents(amount: str) -> int:
    return int(amount.replace(".", ""))


RULES = {
    "retailer_name": lambda r: sum(unicodedata.category(c)[0] in "LN" for c in r.retailer),
    "round_total": lambda r: 50 if cents(r.total) % 100 == 0 else 0,
    "quarter_total": lambda r: 25 if cents(r.total) % 25 == 0 else 0,
    "item_pairs": lambda r: len(r.items) // 2 * 5,
    "description_length": lambda r: sum(
        -(-cents(item.price) // 500) for item in r.items if len(item.shortDescription) % 3 == 0
    ),
    "odd_day": lambda r: 6 if int(r.purchaseDate[-2:]) % 2 else 0,
    "afternoon": lambda r: 10 if "14:00" <= r.purchaseTime < "16:00" else 0,
}
with open(os.environ["BENCH_RULES"], "rb") as file:
    RULE_LIST = orjson.loads(file.read())

app = FastAPI(title=SERVICE, version=VERSION)


class AccessMiddleware:
    """Ids, access line and metrics as plain ASGI: Starlette's BaseHTTPMiddleware costs several times as much."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin1")
        request_id = given if SANE_ID.fullmatch(given) else str(uuid.uuid4())
        correlation = headers.get(b"x-correlation-id", b"").decode("latin1")
        correlation_id = correlation if SANE_ID.fullmatch(correlation) else request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, correlation_id=correlation_id)
        status = 500
        active.inc()

        async def send_with_ids(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += [
                    (b"x-request-id", request_id.encode()),
                    (b"x-correlation-id", correlation_id.encode()),
                ]
            await send(message)

        try:
            await self.app(scope, receive, send_with_ids)
        finally:
            active.dec()
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "")
            duration.labels(scope["method"], route, str(status)).observe(seconds)
            if not route.startswith("/health"):
                log.info(
                    "request completed",
                    method=scope["method"],
                    path=scope["path"],
                    route=route,
                    status=status,
                    duration_ms=round(seconds * 1000, 3),
                    remote_ip=(scope.get("client") or ("",))[0],
                    user_agent=headers.get(b"user-agent", b"").decode("latin1"),
                    worker_pid=os.getpid(),
                )


app.add_middleware(AccessMiddleware)
app.add_middleware(
    CORSMiddleware,
    allow_origins=os.environ["CORS_ORIGINS"].split(","),
    allow_methods=["*"],
    allow_headers=["*"],
    expose_headers=["X-Request-ID", "X-Correlation-ID"],
)


@app.get("/health", response_model=Health)
async def health():
    return {"status": "healthy", "version": VERSION}


@app.get("/metrics")
async def metrics():
    # The whole process group and not this worker: they share files, in PROMETHEUS_MULTIPROC_DIR.
    group = CollectorRegistry()
    MultiProcessCollector(group)
    return Response(generate_latest(group), media_type=CONTENT_TYPE_LATEST)


@dataclass
class Deps:
    """What reaches a route as a parameter, and is replaceable in a test."""

    log: structlog.stdlib.BoundLogger


async def get_deps() -> Deps:
    return DEPS


DEPS = Deps(log=log)
Injected = Annotated[Deps, Depends(get_deps)]


@app.post("/api/v1/receipts/points", response_model=Points)
async def score(receipt: Receipt, deps: Injected):
    breakdown = [{"rule": name, "points": points(receipt)} for name, points in RULES.items()]
    breakdown = [award for award in breakdown if award["points"] > 0]
    return {"points": sum(award["points"] for award in breakdown), "breakdown": breakdown}


@app.get("/api/v1/receipts/rules", response_model=Rules)
async def list_rules(deps: Injected):
    return RULE_LIST


@app.get("/api/v1/probes/breaks-its-schema", response_model=Count)
async def break_schema():
    return {"count": "no number"}


FastAPIInstrumentor.instrument_app(app, excluded_urls="health", exclude_spans=["receive", "send"])
