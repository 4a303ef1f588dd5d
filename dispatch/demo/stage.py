"""What the people of the demo share: the clock, the way to publish, and what they know of each order."""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from dispatch.demo.day import Data, Report, Story
from dispatch.timing import Clock
from dispatch.topics import ACTIONS, REQUESTS

_encode = msgspec.json.Encoder().encode
_JSON = ("content-type", b"application/cloudevents+json")


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One event as a consumer of a topic has it; ``type`` is the short name, ``time`` when it happened."""

    topic: str
    type: str
    id: str
    territory: str
    subject: str
    time: datetime
    data: Data
    headers: Mapping[str, str] = field(default_factory=dict)


class Stage:
    """One running day. Nobody here sees the engine's inside: they publish, and hear what topics say."""

    def __init__(self, clock: Clock, producer: AIOKafkaProducer, stories: Mapping[str, Story]) -> None:
        """``stories`` by order id."""
        self.clock = clock
        self.stories = stories
        self.tail = False
        self.closing = False
        self.actions_sent: set[str] = set()
        self.failures: list[BaseException] = []
        self._producer = producer
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers: dict[str, int] = {}

    def now(self) -> datetime:
        """Domain time."""
        return self.clock.now()

    async def until(self, moment: datetime) -> None:
        """Wait until the domain's clock shows ``moment``."""
        left_s = (moment - self.now()).total_seconds() / self.clock.speed
        if left_s > 0:
            await asyncio.sleep(left_s)

    async def wait(self, minutes: float) -> None:
        """Wait for minutes of domain time."""
        await self.until(self.now() + timedelta(minutes=minutes))

    def go(self, story: Coroutine[Any, Any, None]) -> None:
        """Have somebody act on their own from here on."""
        task = asyncio.create_task(story)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)

    async def clear(self) -> None:
        """Everybody goes home."""
        for task in list(self._tasks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def report(self, report: Report) -> None:
        """Publish a request."""
        event = event_bytes("request.submitted", report.request_id, report.source, report.at, dict(report.data))
        await self._producer.send(REQUESTS, event, key=report.reporter.encode(), headers=[_JSON])

    async def staff(self, kind: str, event_id: str, key: str, data: Data) -> None:
        """Publish what the roster says of technicians and shifts."""
        event = event_bytes(kind, event_id, "/demo/roster", self.now(), data)
        await self._producer.send(ACTIONS, event, key=key.encode(), headers=[_JSON])

    async def act(
        self,
        name: str,
        order_id: str,
        actor: str,
        role: str,
        *,
        at: datetime | None = None,
        late: str | None = None,
        **said: Any,
    ) -> None:
        """Publish an action; ``at`` is when it was performed, ``late`` why it is only keyed in now."""
        if self.closing:
            return
        number = self._numbers[order_id] = self._numbers.get(order_id, 0) + 1
        source, event_id = f"/demo/people/{role}", f"{order_id}/{number}/{name}"
        data: Data = {"work_order_id": order_id, "actor": {"id": actor, "role": role}, **said}
        if at is not None:
            data["performed_at"] = _text(at)
        if late is not None:
            data["after_the_fact"] = {"reason": late}
        self.actions_sent.add(f"{source}:{event_id}")
        event = event_bytes(f"action.{name}", event_id, source, self.now(), data)
        await self._producer.send(ACTIONS, event, key=order_id.encode(), headers=[_JSON])


def event_bytes(kind: str, event_id: str, source: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """A whole CloudEvent (structured mode) of ``dispatch.KIND.v1``."""
    return _encode(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": source,
            "type": f"dispatch.{kind}.v1",
            "time": _text(at),
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """An RFC 3339 text as an aware datetime."""
    return datetime.fromisoformat(text)
