"""What every example needs: CloudEvents on Kafka, with a plain client. Nothing of the engine is imported here.

Exit codes: 0 done, 1 nothing came in time or it was refused, 2 wrong arguments, 3 Kafka does not answer.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

DONE, NOTHING, UNREACHABLE = 0, 1, 3
REMEMBERED = 100_000
"""Ids of events; repeats come soon after the first or not at all."""


@dataclass(frozen=True)
class Event:
    """One event of the engine: its id is the same however often it comes, `request` is the id of the channel's."""

    id: str
    type: str
    time: str
    request: str
    data: dict[str, Any]


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The options that all examples have."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--kafka", default=os.environ.get("DISPATCH_KAFKA", "127.0.0.1:9092"), help="host:port")
    parser.add_argument("--once", action="store_true", help="stop after the first thing done")
    parser.add_argument("--for", dest="for_s", type=float, metavar="SECONDS", help="stop after so long")
    return parser


def say(line: str) -> None:
    """One line to whoever looks on, at once, also through a pipe."""
    print(line, flush=True)


def producer_for(kafka: str) -> AIOKafkaProducer:
    """Idempotent, and acknowledged by all replicas. TLS and SASL go here too, as aiokafka names them."""
    return AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all")


async def publish(
    producer: AIOKafkaProducer, topic: str, kind: str, data: dict[str, Any], *, event_id: str, source: str, key: str
) -> tuple[str, int, int]:
    """Publish a structured CloudEvent; where it lies now. The same source and id twice take effect once."""
    event = {
        "specversion": "1.0",
        "type": f"dispatch.{kind}.v1",
        "source": source,
        "id": event_id,
        "time": datetime.now(UTC).isoformat(),
        "data": data,
    }
    headers = [("content-type", b"application/cloudevents+json")]
    value = json.dumps(event, ensure_ascii=False).encode()
    place = await producer.send_and_wait(topic, value, key=key.encode(), headers=headers)
    return place.topic, place.partition, place.offset


def consumer_for(kafka: str, *topics: str, group: str | None = None, beginning: bool = False) -> AIOKafkaConsumer:
    """Reads topics: with a group it goes on where it stopped, without one it sees every partition."""
    return AIOKafkaConsumer(
        *topics,
        bootstrap_servers=kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if beginning else "latest",
    )


async def events(consumer: AIOKafkaConsumer, for_s: float | None = None) -> AsyncIterator[Event]:
    """Events as they come, each id once, for so many seconds or without end.

    A group's position is committed when all that was read has been dealt with: after a crash some come again.
    """
    seen: dict[str, None] = {}
    end_s = time.monotonic() + for_s if for_s is not None else float("inf")
    while time.monotonic() < end_s:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                event = read(record)
                if event.id not in seen:
                    seen[event.id] = None
                    yield event
                if len(seen) > REMEMBERED:
                    del seen[next(iter(seen))]
        if consumer._group_id is not None and consumer.assignment():  # noqa: SLF001 -- aiokafka does not tell
            await consumer.commit()


def read(record: Any) -> Event:
    """A CloudEvent in binary mode: attributes are headers, the value is the data."""
    ce = {name.removeprefix("ce_"): value.decode() for name, value in record.headers}
    kind = ce.get("type", "").removeprefix("dispatch.").removesuffix(".v1")
    data = json.loads(record.value)
    return Event(ce.get("id", ""), kind, ce.get("time", ""), ce.get("correlationid", ""), data)


def run(main: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run to the end, and leave with the exit code; Ctrl-C is an end like any other."""
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(DONE)
    except (KafkaError, OSError) as error:
        print(f"Kafka does not answer: {error or type(error).__name__}; give its address by --kafka", file=sys.stderr)
        sys.exit(UNREACHABLE)
