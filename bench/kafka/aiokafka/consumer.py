"""The consumer of the generated service as a Python service would have it: batches of at most 500 records or five
seconds, partitions in order and side by side, events checked by a schema, offsets committed when a batch is done."""

import asyncio
import os
from datetime import datetime
from typing import Annotated, Literal

from aiokafka import AIOKafkaConsumer
from prometheus_client import Counter, Histogram
from pydantic import BaseModel, Field, StringConstraints

BATCH = 500
BATCH_MS = 5_000

consumed = Counter("kafka_consumed_records", "Records done with.", ["topic", "outcome"])
batch_size = Histogram("kafka_consumer_batch_size_records", "Records in a batch.", ["topic"])


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


async def in_order(topic: str, records: list) -> None:
    for record in records:
        await handle(Event.model_validate_json(record.value))
        consumed.labels(topic, "processed").inc()


async def main() -> None:
    topic = os.environ["KAFKA_TOPIC"]
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=os.environ["KAFKA_BROKERS"],
        group_id=os.environ["KAFKA_CONSUMER_GROUP"],
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
                await asyncio.gather(*(in_order(topic, records) for records in batch.values()))
                await consumer.commit()
                batch_size.labels(topic).observe(sum(map(len, batch.values())))
    finally:
        await consumer.stop()


asyncio.run(main())
