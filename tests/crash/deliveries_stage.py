"""What a run of deliveries plays on: events made up beforehand, and the people they are for, straight in the store."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from dispatch.hooks.delivery import delivery_id
from dispatch.models.cloudevents import outgoing_headers
from dispatch.rules.events import full_type
from dispatch.rules.state import Order, Owner, Requirement, moment_of
from dispatch.rules.state_staff import Technician
from dispatch.stores.base import Meta, Save, TerritoryKey
from dispatch.stores.redis import RedisStore, connect
from tests.crash.stage import TENANT, Stage
from tests.support.people import subjects
from tests.support.receiver import local_hook

HOOKS = 8
TECHNICIANS = 10
WINDOW = 100
"""How many orders are under way at a time in each territory."""
STEPS = ("opened", "offered", "withdrawn", "offered", "assigned", "completed", "closed")
FOR_REPORTER = frozenset({"opened", "completed", "closed"})
AT = "2026-03-02T00:10:00.000Z"
ROUTES = [
    {"event": f"work-order.{name}", "to": ["reporter" if name in FOR_REPORTER else "technician"], "template": template}
    for name, template in {
        "opened": "received",
        "offered": "offered",
        "withdrawn": "withdrawn",
        "assigned": "assigned",
        "completed": "completed",
        "closed": "closed",
    }.items()
]
_pack = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class Made:
    """One event of the log, and whom it is for."""

    id: str
    territory: str
    sequence: int
    type: str
    subject: str
    receiver: str
    assignment_id: str | None
    data: dict[str, Any]

    @property
    def delivery(self) -> str:
        """The id of its delivery."""
        return delivery_id(self.id, self.receiver)

    def headers(self) -> list[tuple[str, bytes]]:
        """As the desk writes them."""
        return outgoing_headers(
            event_id=self.id,
            source=f"/dispatch/{TENANT}/{self.territory}",
            event_type=full_type(self.type),
            subject=self.subject,
            time=AT,
            recordedtime=AT,
            partitionkey=f"{TENANT}:{self.territory}",
            sequence=self.sequence,
            tenantid=TENANT,
        )


def write_hooks(folder: Path, port: int, secrets: list[str], timeout: str = "2s", **more: Any) -> None:
    """``hooks.yaml`` with hooks ``app0`` … on one port of this machine, each an endpoint of its own."""
    file = folder / "hooks.yaml"
    data = yaml.safe_load(file.read_text("utf-8"))
    hooks = {
        f"app{number}": local_hook(port, *secrets, path=f"app{number}", timeout=timeout, concurrency=16)
        for number in range(HOOKS)
    }
    data |= {
        "hooks": hooks,
        "defaults": {},
        "receivers": {},
        "quiet": None,
        "routes": ROUTES,
        "retry": {"first": "1s", "most": "4s", "give_up": "6h", "fall_back": 3},
        "breaker": {"failures": 6, "rest": "1s", "most": "3s"},
        **more,
    }
    file.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")


def hook_of(number: int) -> str:
    return f"app{number % HOOKS}"


def make_events(names: list[str], count: int, seed: int) -> Iterator[Made]:
    """So many events, of orders that are under way side by side, each event for one receiver."""
    rng = random.Random(seed)
    sequences = dict.fromkeys(names, 0)
    under_way: list[tuple[str, str, int, Iterator[str]]] = []
    legs: Counter[str] = Counter()
    number = 0
    for _ in range(count):
        if len(under_way) < WINDOW * len(names):
            territory = rng.choice(names)
            under_way.append((territory, f"wo{seed:x}x{number}", number, iter(STEPS)))
            number += 1
        at = rng.randrange(len(under_way))
        territory, order_id, order_number, steps = under_way[at]
        step = next(steps, None)
        if step is None:
            under_way.pop(at)
            territory, order_id, order_number, steps = under_way[rng.randrange(len(under_way))]
            step = next(steps, None) or "closed"
        sequences[territory] += 1
        legs[order_id] += step == "offered"
        yield _event(territory, sequences[territory], order_id, order_number, step, legs[order_id])


def _event(territory: str, sequence: int, order_id: str, number: int, step: str, leg: int) -> Made:
    technician = f"{territory}-t{(number + leg) % TECHNICIANS}"
    subject = f"s-{territory}-{number % 50}"
    data: dict[str, Any] = {"work_order_id": order_id, "cycle": 1, "state": "offered", "urgency": "normal"}
    assignment_id = None
    if step == "opened":
        data |= {"display_no": f"N-{number}", "text": "水龙头漏水 tap leaks", "reporter": {"subject_id": subject}}
        data |= {"requirements": [{"trade": "plumbing"}], "location": {"room": "101"}}
    elif step not in FOR_REPORTER:
        assignment_id = f"{order_id}.1.{leg}"
        data |= {"assignment_id": assignment_id, "technician_id": technician, "requirement": {"trade": "plumbing"}}
        data |= {"location": {"room": "101"}, "text": "水龙头漏水 tap leaks", "mode": "offer"}
    return Made(
        id=f"{TENANT}:{territory}:{sequence}",
        territory=territory,
        sequence=sequence,
        type=f"work-order.{step}",
        subject=order_id,
        receiver=f"reporter/{subject}" if step in FOR_REPORTER else f"technician/{technician}",
        assignment_id=assignment_id,
        data=data,
    )


async def fill_store(stage: Stage, events: list[Made]) -> None:
    """Technicians with their hooks, orders with their reporters, and people with theirs."""
    redis = connect(stage.redis)
    store = RedisStore(redis)
    try:
        people = {
            f"p-{name}-{number}": (f"s-{name}-{number}", _details(number))
            for name in stage.names
            for number in range(50)
        }
        await subjects(store, TENANT, people)
        for name in stage.names:
            orders = {
                one.subject: _order(one) for one in events if one.territory == name and one.type == "work-order.opened"
            }
            save = Save(
                expected=(0, ""),
                meta=Meta(sequence=0, batch_id="made up"),
                orders=[(order_id, _pack(order)) for order_id, order in orders.items()],
                technicians=[(f"{name}-t{n}", _pack(_technician(f"{name}-t{n}", n))) for n in range(TECHNICIANS)],
            )
            await store.save({TerritoryKey(TENANT, name): save})
    finally:
        await redis.aclose()


def _details(number: int) -> bytes:
    said: Mapping[str, Any] = {"id": f"p{number}", "name": "王小明", "reply_to": hook_of(number)}
    return msgspec.json.encode(said)


def _technician(technician_id: str, number: int) -> Technician:
    now = datetime.now(UTC)
    return Technician(id=technician_id, version=1, version_time=now, org_id="own", profile={"hooks": [hook_of(number)]})


def _order(one: Made) -> Order:
    return Order(
        id=one.subject,
        display_no=one.data["display_no"],
        request_id=one.subject,
        state="offered",
        channel="web",
        owner=Owner(kind="role", id="dispatcher"),
        owner_since=moment_of(AT),
        requirements=(Requirement(trade="plumbing"),),
        text=one.data["text"],
        reporter=one.data["reporter"],
        policy_version="",
        reported_at=moment_of(AT),
        opened_at=moment_of(AT),
    )
