"""Publishes events as Python services do, with the time as `datetime.isoformat` writes it.

usage: produce.py plain BROKERS TOPIC ID...          with aiokafka
       produce.py transactions BROKERS TOPIC ID...   with confluent-kafka: one transaction that is aborted, one for each id
"""

import asyncio
import json
import sys
import uuid
from datetime import datetime, timedelta, timezone

from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

kind, brokers, topic, *ids = sys.argv[1:]
ZONES = [timezone.utc, timezone(timedelta(hours=2)), timezone(timedelta(hours=-7, minutes=-30))]


def event(receipt_id: str, index: int) -> bytes:
    data = {"receiptId": receipt_id, "retailer": "Target", "totalCents": 100}
    time = datetime.now(ZONES[index % len(ZONES)]).isoformat()
    return json.dumps({"id": str(uuid.uuid4()), "type": "receipt.scanned", "time": time, "data": data}).encode()


async def plain() -> None:
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    for index, receipt_id in enumerate(ids):
        await producer.send_and_wait(topic, event(receipt_id, index), key=receipt_id.encode())
    await producer.stop()


def transactions() -> None:
    producer = Producer({"bootstrap.servers": brokers, "transactional.id": str(uuid.uuid4())})
    producer.init_transactions()
    for index, receipt_id in enumerate([None, *ids]):
        producer.begin_transaction()
        key = receipt_id or "aborted"
        producer.produce(topic, event(key, index), key=key.encode())
        producer.flush()
        if receipt_id is None:
            producer.abort_transaction()
        else:
            producer.commit_transaction()


if kind == "plain":
    asyncio.run(plain())
else:
    transactions()
