"""A member of a consumer group, as a Python team has it: writes the keys that it reads to standard output.

usage: member.py aiokafka|confluent BROKERS GROUP TOPIC [STRATEGY]
"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer

client, brokers, group, topic, *strategy = sys.argv[1:]


def tell(line: str) -> None:
    print(line, flush=True)


async def with_aiokafka() -> None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=brokers,
        group_id=group,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=200,
    )
    await consumer.start()
    tell("joined")
    async for record in consumer:
        tell(record.key.decode())


def with_confluent() -> None:
    config = {
        "bootstrap.servers": brokers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 200,
    }
    if strategy:
        config["partition.assignment.strategy"] = strategy[0]
    consumer = Consumer(config)
    consumer.subscribe([topic], on_assign=lambda _consumer, partitions: tell("joined") if partitions else None)
    while True:
        record = consumer.poll(0.2)
        if record is None:
            continue
        if record.error():
            raise SystemExit(str(record.error()))
        tell(record.key().decode())


if client == "aiokafka":
    asyncio.run(with_aiokafka())
else:
    with_confluent()
