"""A client beside the engine: it publishes as people and channels do, and sees every topic."""

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from dispatch.topics import ACTIONS, REQUESTS, TOPICS, WORK_ORDERS
from tests.support.seen import Seen

PATIENCE_S = 60.0
"""How long to wait for what must come; a machine may be busy with other things."""
BIG = 12 * 1024 * 1024


def token() -> str:
    """Something that no other test uses."""
    return secrets.token_hex(5)


def text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Client:
    """Publishes as a channel, a technician or an operator would, and collects all that is on all topics."""

    kafka: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    seen: list[Seen] = field(default_factory=list)
    source: str = ""

    async def __aenter__(self) -> Self:
        self.source = self.source or f"/test/{token()}"
        self._news = asyncio.Condition()
        self._producer = AIOKafkaProducer(bootstrap_servers=self.kafka, max_request_size=BIG)
        await self._producer.start()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
            max_partition_fetch_bytes=BIG,
        )
        await self._consumer.start()
        places = [TopicPartition(t, p) for t in TOPICS for p in await self._partitions(t)]
        self._consumer.assign(places)
        await self._consumer.seek_to_beginning(*places)
        self._task = asyncio.create_task(self._collect())
        return self

    async def _partitions(self, topic: str) -> list[int]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self._consumer._client.force_metadata_update()
                found = self._consumer._client.cluster.partitions_for_topic(topic)
                if found:
                    return sorted(found)
                self._consumer._client.add_topic(topic)
                await asyncio.sleep(0.05)

    async def __aexit__(self, *_error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()
        await self._producer.stop()

    async def _collect(self) -> None:
        async for record in self._consumer:
            headers = {name: value.decode(errors="replace") for name, value in record.headers}
            one = Seen(
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                timestamp=record.timestamp,
                key=record.key,
                headers=headers,
                value=record.value or b"",
                number=len(self.seen),
            )
            async with self._news:
                self.seen.append(one)
                self._news.notify_all()

    # publishing -----------------------------------------------------------------------------------------------

    async def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> tuple[str, int, int]:
        """Bytes onto a topic; where they are now."""
        done = await self._producer.send_and_wait(topic, value, key=key, headers=list(headers), partition=partition)
        return done.topic, done.partition, done.offset

    async def publish(
        self,
        kind: str,
        data: object,
        *,
        id: str | None = None,  # noqa: A002 -- the attribute's name
        binary: bool = False,
        key: bytes | None = None,
        topic: str | None = None,
        partition: int | None = None,
        **attributes: str,
    ) -> tuple[str, int, int]:
        """A CloudEvent in structured or binary mode. Returns topic, partition and offset."""
        common = {
            "specversion": "1.0",
            "id": id or token(),
            "source": self.source,
            "type": f"dispatch.{kind}.v1",
            "time": text_of(self.now()),
        }
        attributes = {name: value for name, value in {**common, **attributes}.items() if value}
        topic = topic or (REQUESTS if kind.startswith("request.") else ACTIONS)
        if binary:
            headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
            headers.append(("content-type", b"application/json"))
            body = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
            return await self.send(topic, body, key=key, headers=headers, partition=partition)
        body = json.dumps({**attributes, "data": data}, ensure_ascii=False).encode()
        return await self.send(topic, body, key=key, partition=partition)

    async def report(self, **given: Any) -> str:
        """Publish a request that will be plumbing in a room nobody else uses; its request id."""
        request_id, how, fields = _split(given)
        await self.publish("request.submitted", request(request_id, **fields), **how)
        return request_id

    async def act(self, name: str, order_id: str, by: tuple[str, str], **given: Any) -> str:
        """Publish an action; the id of its event. ``by``: id and role of the actor."""
        _request_id, how, fields = _split(given)
        action_id = how.pop("id", None) or token()
        data = {"work_order_id": order_id, "actor": {"id": by[0], "role": by[1]}, **fields}
        await self.publish(f"action.{name}", data, id=action_id, **{"key": order_id.encode(), **how})
        return action_id

    async def technician(self, technician_id: str, territory: str = "north", **given: Any) -> None:
        """Somebody who can do plumbing, and much of it, on duty from now on."""
        now = self.now()
        data = {
            "id": technician_id,
            "version": 1,
            "org_id": "in",
            "home_territory": territory,
            "skills": [{"trade": "plumbing", "level": 4}],
            "capacity": {"open": 100_000},
            **given,
        }
        await self.publish("technician.updated", data, key=technician_id.encode())
        start, end = text_of(now - timedelta(minutes=1)), text_of(now + timedelta(days=30))
        shift = {"technician_id": technician_id, "start": start, "end": end}
        await self.publish("shift.started", shift, key=technician_id.encode())
        await self.wait(lambda one: one.type == "shift.started" and one.subject == technician_id)

    # seeing ---------------------------------------------------------------------------------------------------

    async def wait(
        self, wanted: Callable[[Seen], bool], within_s: float = PATIENCE_S, *, after: int = 0, what: str = ""
    ) -> Seen:
        """The first record (from number ``after``) that is wanted."""
        at = after
        try:
            async with asyncio.timeout(within_s), self._news:
                while True:
                    while at < len(self.seen):
                        if wanted(self.seen[at]):
                            return self.seen[at]
                        at += 1
                    await self._news.wait()
        except TimeoutError:
            last = [(one.topic, one.type, one.subject) for one in self.seen[-12:]]
            raise AssertionError(f"nothing such came within {within_s} s {what}; the last were {last}") from None

    async def several(self, number: int, wanted: Callable[[Seen], bool], within_s: float = PATIENCE_S) -> list[Seen]:
        """The first so many records that are wanted, repeated ones once."""
        found: dict[str | int, Seen] = {}
        after = 0
        while len(found) < number:
            one = await self.wait(wanted, within_s, after=after, what=f"({len(found)} of {number} came)")
            found.setdefault(one.id or one.number, one)
            after = one.number + 1
        return list(found.values())

    async def event(
        self, kind: str, *, of: str | None = None, request: str | None = None, topic: str = WORK_ORDERS, **more: Any
    ) -> Seen:
        """An event of this type, about this order or this request."""
        return await self.wait(
            lambda one: (
                one.topic == topic
                and one.type == kind
                and (of is None or one.subject == of)
                and (request is None or one.headers.get("ce_correlationid") == request)
            ),
            what=f"({kind} of {of or request})",
            **more,
        )

    async def offered(self, request_id: str, **more: Any) -> Seen:
        """The first offer that a request led to."""
        return await self.event("work-order.offered", request=request_id, **more)

    def events(self, order_id: str, topic: str = WORK_ORDERS) -> list[Seen]:
        """All events about an order so far, repeated ones once, in order of number."""
        found = {one.id: one for one in self.seen if one.topic == topic and one.subject == order_id}
        return sorted(found.values(), key=lambda one: (one.partition, one.headers["ce_sequence"]))

    def types(self, order_id: str, topic: str = WORK_ORDERS) -> list[str]:
        return [one.type for one in self.events(order_id, topic)]

    async def quiet(self, for_s: float = 0.6) -> None:
        """Wait until nothing new has come for a while."""
        before = -1
        while before != len(self.seen):
            before = len(self.seen)
            await asyncio.sleep(for_s)

    def letters(self, place: tuple[str, int, int]) -> list[Seen]:
        """The dead letters of an input, repeated ones once: of itself, or of the command it became."""
        places = {place}
        for one in self.seen:
            origin = one.data.get("origin") if one.topic.startswith("dispatch.commands") else None
            if origin and (origin["topic"], origin["partition"], origin["offset"]) == place:
                places.add((one.topic, one.partition, one.offset))
        dead = (one for one in self.seen if one.topic == "dispatch.dead-letters")
        found = {
            one.id: one for one in dead if (one.data["topic"], one.data["partition"], one.data["offset"]) in places
        }
        return list(found.values())

    async def letter(self, place: tuple[str, int, int], within_s: float = PATIENCE_S) -> Seen:
        """The first dead letter of an input."""
        async with asyncio.timeout(within_s):
            while not (found := self.letters(place)):
                async with self._news:
                    await self._news.wait()
        return found[0]

    def at(self, topic: str, partition: int, offset: int) -> Seen:
        """The record at a place."""
        return next(one for one in self.seen if (one.topic, one.partition, one.offset) == (topic, partition, offset))

    def assert_repeats_are_identical(self) -> None:
        """I7: one id, the same bytes, wherever and however often it is published."""
        known: dict[str, Seen] = {}
        for one in self.seen:
            if one.id and one.topic not in {REQUESTS, ACTIONS}:
                first = known.setdefault(one.id, one)
                assert (first.value, first.headers) == (one.value, one.headers), one.id

    def assert_numbered_without_gaps(self) -> None:
        """Each territory's events are numbered 1, 2, 3 … in the order in which they first stand in the log."""
        last: dict[bytes, int] = {}
        log = [one for one in self.seen if one.topic == WORK_ORDERS]
        for one in sorted(log, key=lambda one: (one.partition, one.offset)):
            key, number = one.key or b"", int(one.headers["ce_sequence"])
            assert number <= last.get(key, 0) + 1, (one.id, last.get(key, 0))
            last[key] = max(last.get(key, 0), number)


def _split(given: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    names = ("id", "binary", "key", "partition", "time", "traceparent")
    how = {name: given.pop(name) for name in names if name in given}
    return given.pop("request_id", None) or f"r-{token()}", how, given


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def request(request_id: str, *, area: str = "north.n3", **given: Any) -> dict[str, Any]:
    """The data of a request: a tap that leaks in a room nobody else uses."""
    return {
        "request_id": request_id,
        "channel": "web",
        "reporter": {"id": f"p-{request_id}"},
        "text": "水龙头坏了 the tap is broken",
        # letters only: ten digits look like a telephone, and two rooms of which that is masked are one to the engine
        "location": {"area_id": area, "room": "x" + token().translate(_LETTERS)},
        **given,
    }
