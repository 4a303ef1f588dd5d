"""The people of a crash run: reporters, technicians, and their doubts. All they do is made sure of by sending it again.

What somebody does follows from the ids alone (and the seed), so that an event that is delivered twice leads to the
same action with the same id.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from dispatch.topics import ACTIONS, ASSIGNMENTS, COMPLETIONS, REQUESTS
from tests.crash.stage import CAPACITY, TECHNICIANS, TRADES, Stage, event

DOUBTS = 0.2
"""How often something is sent again, with the same id and bytes."""

MOST_UNDER_WAY = 150
"""How many orders may be open before people wait with the next one, so that an outage builds up no mountain."""
OVER = frozenset({"closed", "cancelled", "refused", "merged"})
HOLDS = ("safety", "waiting_reporter", "waiting_parts")


class Client:
    """Sends requests at a rate, and reacts to what the engine publishes until it is stopped."""

    def __init__(self, stage: Stage, seed: int, rate: float, doubts: float = DOUBTS) -> None:
        self.stage = stage
        self.seed = seed
        self.rate = rate
        self.doubts = doubts
        self.sent: Counter[str] = Counter()
        self.requests = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: set[str] = set()
        self._under_way: set[str] = set()
        self._feeding = True
        self._open = True

    async def start(self) -> None:
        """Connect, and send the roster."""
        self._producer = AIOKafkaProducer(bootstrap_servers=self.stage.kafka, enable_idempotence=True)
        await self._producer.start()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self.stage.kafka, auto_offset_reset="earliest", enable_auto_commit=False
        )
        await self._consumer.start()
        self._consumer.assign(
            [TopicPartition(topic, n) for topic in (ASSIGNMENTS, COMPLETIONS) for n in range(self.stage.partitions)]
        )
        await self._send_roster()
        self._reader = asyncio.create_task(self._read())

    async def feed(self) -> None:
        """Send requests until :meth:`stop_feeding`."""
        while self._feeding:
            if len(self._under_way) < MOST_UNDER_WAY:
                await self._request()
            await asyncio.sleep(1 / self.rate)

    def stop_feeding(self) -> None:
        """No new requests; reactions go on."""
        self._feeding = False

    async def stop(self) -> None:
        """No reactions either."""
        self._feeding = self._open = False
        for task in (*self._tasks, self._reader):
            task.cancel()
        await asyncio.gather(*self._tasks, self._reader, return_exceptions=True)
        await self._producer.stop()
        await self._consumer.stop()

    async def _send_roster(self) -> None:
        begin, end = self.stage.now_text(-3600), self.stage.now_text(30 * 86400)
        for name in self.stage.names:
            for number in range(TECHNICIANS):
                one = f"{name}-t{number}"
                skills = [{"trade": trade, "level": 3} for trade in TRADES]
                data = {"id": one, "version": 1, "org_id": "own", "home_territory": name, "skills": skills}
                data["capacity"] = {"open": CAPACITY}
                await self._send(ACTIONS, "technician.updated", f"{one}:v1", data, one)
                shift = {"technician_id": one, "start": begin, "end": end}
                await self._send(ACTIONS, "shift.started", f"{one}:shift", shift, one)

    async def _send(self, topic: str, kind: str, event_id: str, data: Mapping[str, Any], key: str) -> None:
        value = event(kind, event_id, self.stage.now_text(), data)
        self.sent[kind] += 1
        await self._producer.send(topic, value, key=key.encode())
        rng = self._rng("doubt", event_id)
        if rng.random() < self.doubts:
            self._later(rng.uniform(0.2, 4), lambda: self._again(topic, value, key))

    async def _again(self, topic: str, value: bytes, key: str) -> None:
        self.sent["again"] += 1
        await self._producer.send(topic, value, key=key.encode())

    def _rng(self, *words: str) -> random.Random:
        return random.Random(f"{self.seed}:{':'.join(words)}")

    def _later(self, delay_s: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            await asyncio.sleep(delay_s)
            await act()

        if self._open:
            task = asyncio.create_task(run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _request(self) -> None:
        self.requests += 1
        request_id = f"q{self.requests}"
        rng = self._rng("request", request_id)
        name = rng.choice(self.stage.names)
        urgency = rng.choices(["emergency", "urgent", "normal", "low"], [1, 4, 6, 2])[0]
        data: dict[str, Any] = {
            "channel": "app",
            "reporter": {"id": f"r{rng.randrange(500)}", "name": "Li"},
            "text": "something is broken",
            "trade_hint": rng.choice(TRADES),
            "urgency_hint": urgency,
            "location": {"territory": name, "building": f"{name} house", "room": str(rng.randrange(100, 400))},
        }
        if urgency == "emergency":
            data["hazards"] = ["flood"]
        if rng.random() < 0.03:
            del data["reporter"]
        else:
            self._under_way.add(request_id)
        await self._send(REQUESTS, "request.submitted", request_id, data, request_id)

    async def _read(self) -> None:
        async for record in self._consumer:
            headers = {name: value.decode() for name, value in record.headers}
            if headers["ce_id"] in self._seen:
                continue
            self._seen.add(headers["ce_id"])
            kind = headers["ce_type"].removeprefix("dispatch.work-order.").removesuffix(".v1")
            if kind in OVER:
                self._under_way.discard(headers["ce_correlationid"])
            react = REACTIONS.get(kind)
            if react is not None:
                react(self, json.loads(record.value), headers["ce_id"])

    def act(self, delay_s: float, name: str, order_id: str, tag: str, actor: tuple[str, str], **more: Any) -> None:
        """Send an action some time from now."""
        role, who = actor
        data = {"work_order_id": order_id, "actor": {"id": who, "role": role}, **more}
        self._later(delay_s, lambda: self._send(ACTIONS, f"action.{name}", f"{tag}:{name}", data, order_id))

    def opened(self, data: dict[str, Any], _event_id: str) -> None:
        """The reporter waits, urges, or finds that it works again."""
        order, rng = data["work_order_id"], self._rng("opened", data["work_order_id"])
        chance = rng.random()
        if chance < 0.06:
            self.act(rng.uniform(1, 8), "urge", order, order, ("requester", "r1"), text="please")
        elif chance < 0.09:
            self.act(rng.uniform(1, 5), "cancel", order, order, ("requester", "r1"), reason="solved_itself")
        elif chance < 0.14:
            self.act(rng.uniform(1, 5), "note", order, order, ("dispatcher", "d1"), note="seen")

    def asked(self, data: dict[str, Any], _event_id: str) -> None:
        """A technician takes an offer, declines, or stays silent."""
        leg, rng = data["assignment_id"], self._rng("asked", data["assignment_id"])
        if f"asked {leg}" in self._seen:
            return
        self._seen.add(f"asked {leg}")
        actor = ("technician", data["technician_id"])
        chance = rng.random()
        if chance < 0.15 and data.get("mode") == "offer":
            self.act(rng.uniform(0.1, 0.8), "decline", data["work_order_id"], leg, actor, reason="busy")
        elif chance < 0.3 and data.get("mode") == "offer":
            return
        else:
            self._work(data["work_order_id"], leg, actor, rng)

    def _work(self, order: str, leg: str, actor: tuple[str, str], rng: random.Random) -> None:
        at_s = rng.uniform(0.1, 1.5)
        self.act(at_s, "accept", order, leg, actor)
        chance = rng.random()
        if chance < 0.06:
            self.act(at_s + rng.uniform(0.3, 1), "return_order", order, leg, actor, reason="wrong_trade")
            return
        at_s += rng.uniform(0.3, 1)
        self.act(at_s, "start", order, leg, actor)
        if chance < 0.14:
            self.act(at_s + 0.5, "hold", order, leg, actor, reason=rng.choice(HOLDS))
            at_s += rng.uniform(1, 4)
            self.act(at_s, "resume", order, leg, actor)
        slow = rng.random() < 0.08
        at_s += rng.uniform(16, 24) if slow else rng.uniform(0.5, 3)
        report = {"assignment_id": leg, "visit_no": 1, "disposition": "fixed"}
        self.act(at_s, "complete", order, leg, actor, **report)

    def completed(self, data: dict[str, Any], event_id: str) -> None:
        """The reporter accepts, rejects, or stays silent."""
        order, tag = data["work_order_id"], f"{data['assignment_id']}"
        rng = self._rng("completed", tag)
        chance = rng.random()
        if chance < 0.5:
            self.act(rng.uniform(0.2, 3), "confirm", order, tag, ("requester", "r1"))
        elif chance < 0.6:
            self.act(rng.uniform(0.2, 3), "reject_work", order, tag, ("requester", "r1"), reason="still drips")


REACTIONS: dict[str, Callable[[Client, dict[str, Any], str], None]] = {
    "opened": Client.opened,
    "offered": Client.asked,
    "assigned": Client.asked,
    "completed": Client.completed,
}
