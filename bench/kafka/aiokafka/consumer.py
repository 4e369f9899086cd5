"""The consumer of the generated service, the way a Python team writes it: batches of at most 500 records or five
seconds, partitions in order and side by side, events checked by a schema, each handled with the ids and within the
trace of whoever published it, three retries, offsets committed when a batch is done."""

import asyncio
import os
import random
import re
import uuid
from contextvars import ContextVar
from datetime import datetime
from typing import Annotated, Literal

import uvloop
from aiokafka import AIOKafkaConsumer
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from prometheus_client import Counter, Histogram
from pydantic import BaseModel, Field, StringConstraints

BATCH = 500
BATCH_MS = 5_000
RETRIES = 3
TOPIC, GROUP = os.environ["KAFKA_TOPIC"], os.environ["KAFKA_CONSUMER_GROUP"]
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

provider = TracerProvider(
    sampler=ParentBasedTraceIdRatio(float(os.environ["OTEL_TRACES_SAMPLER_ARG"])),
    resource=Resource.create({"service.name": os.environ["SERVICE_NAME"]}),
)
provider.add_span_processor(
    BatchSpanProcessor(OTLPSpanExporter(endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], insecure=True))
)
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("kafka")

consumed = Counter("kafka_consumed_records", "Records done with.", ["topic", "outcome"]).labels(TOPIC, "processed")
retried = Counter("kafka_consumer_retries", "Handler calls that were repeated.", ["topic"]).labels(TOPIC)
batch_size = Histogram("kafka_consumer_batch_size_records", "Records in a batch.", ["topic"]).labels(TOPIC)
request_id: ContextVar[str] = ContextVar("request_id")
correlation_id: ContextVar[str] = ContextVar("correlation_id")


class ReceiptScanned(BaseModel):
    receiptId: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    retailer: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    totalCents: Annotated[int, Field(ge=0)]


class Event(BaseModel):
    id: Annotated[str, StringConstraints(min_length=1)]
    type: Literal["receipt.scanned"]
    time: datetime
    data: ReceiptScanned


processed = os.open(os.environ["PROCESSED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def handle(event: Event) -> None:
    os.write(processed, f"{event.data.receiptId}\n".encode())


async def deliver(record) -> None:
    headers = {name.lower(): value.decode() for name, value in record.headers}
    given = headers.get("x-request-id", "")
    request_id.set(given if SANE_ID.fullmatch(given) else str(uuid.uuid4()))
    given = headers.get("x-correlation-id", "")
    correlation_id.set(given if SANE_ID.fullmatch(given) else request_id.get())
    attributes = {
        "messaging.system": "kafka",
        "messaging.destination.name": TOPIC,
        "messaging.operation.name": "process",
        "messaging.consumer.group.name": GROUP,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
    with tracer.start_as_current_span(
        f"process {TOPIC}",
        context=propagate.extract(headers),
        kind=trace.SpanKind.CONSUMER,
        attributes=attributes,
    ):
        event = Event.model_validate_json(record.value)
        for attempt in range(RETRIES + 1):
            try:
                await handle(event)
                break
            except Exception:
                if attempt == RETRIES:
                    raise
                retried.inc()
                await asyncio.sleep(0.25 * 2**attempt * (0.5 + random.random() / 2))
    consumed.inc()


async def in_order(records: list) -> None:
    for record in records:
        await deliver(record)


async def main() -> None:
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=os.environ["KAFKA_BROKERS"],
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=45_000,
        heartbeat_interval_ms=3_000,
    )
    await consumer.start()
    try:
        while True:
            batch = await consumer.getmany(timeout_ms=BATCH_MS, max_records=BATCH)
            if batch:
                await asyncio.gather(*(in_order(records) for records in batch.values()))
                await consumer.commit()
                batch_size.observe(sum(map(len, batch.values())))
    finally:
        await consumer.stop()


uvloop.run(main())
