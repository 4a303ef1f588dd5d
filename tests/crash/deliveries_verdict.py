"""What came of a run of deliveries: how each ended, what was told too late or out of order, and what must hold."""

from collections.abc import Sequence
from typing import Any

import msgspec
from aiokafka.structs import ConsumerRecord

from dispatch.agents.log_reader import read_to_end
from dispatch.hooks.delivery import FINAL
from dispatch.topics import DELIVERIES
from tests.crash.deliveries_stage import Made
from tests.crash.stage import Stage


def ended_as(record: ConsumerRecord) -> str | None:
    """How a record of the ledger says that a delivery has ended; None if it says something else."""
    kind = dict(record.headers)["ce_type"].decode().split(".")[2]
    return kind if kind in FINAL else None


async def how_each_ended(stage: Stage) -> dict[str, tuple[str, str | None]]:
    """How each delivery ended, by the ledger."""
    ends: dict[str, tuple[str, str | None]] = {}
    client = {"bootstrap_servers": stage.kafka}
    for lane in range(stage.partitions):
        async for record in read_to_end(client, DELIVERIES, lane):
            if (kind := ended_as(record)) is not None:
                data = msgspec.json.decode(record.value)
                if ends.get(data["delivery_id"], ("dropped", None))[0] != "succeeded":
                    ends[data["delivery_id"]] = (kind, data.get("reason"))
    return ends


def after_withdrawal(order: Sequence[str], expected: dict[str, Made]) -> int:
    """Offers and assignments that took effect after somebody had heard of their withdrawal."""
    withdrawn: set[str | None] = set()
    late = 0
    for one in (expected[name] for name in order if name in expected):
        if one.type == "work-order.withdrawn":
            withdrawn.add(one.assignment_id)
        elif one.assignment_id in withdrawn:
            late += 1
    return late


def out_of_order(order: Sequence[str], expected: dict[str, Made]) -> int:
    """Messages to one receiver about one order that took effect before an earlier one."""
    last: dict[tuple[str, str], int] = {}
    wrong = 0
    for one in (expected[name] for name in order if name in expected):
        key = (one.receiver, one.subject)
        wrong += one.sequence < last.get(key, 0)
        last[key] = max(one.sequence, last.get(key, 0))
    return wrong


def broken_rules(found: dict[str, Any], kills: int) -> list[str]:
    """What must hold and does not, by name and with what was found; nothing of a good run."""
    none = ("missing", "unexpected", "after_withdrawal", "out_of_order", "unverified", "same_id_other_bytes")
    holds = {
        "ratio": found["ratio"] == 1.0,
        **{name: not found[name] for name in none},
        "kills": found["kills"] >= kills,
        "secrets_rotated": found["secrets_rotated"] == 2,
        "settled": found["settled"],
        "ends": all(name.startswith("dropped:") for name in found["ends"]),
        "ended_by_themselves": found["ended_by_themselves"] == 0,
    }
    wrong = [f"{name}: {found[name]}" for name, held in holds.items() if not held]
    controls = found.get("controls", {})
    return wrong + [f"control {name} saw nothing" for name, counters in controls.items() if not any(counters.values())]
