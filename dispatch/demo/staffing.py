"""The roster on its way into the engine: technicians first, then the shifts that touch the day."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer

from dispatch.demo.day import BEGIN, ZONE, Data
from dispatch.demo.ears import APP
from dispatch.demo.stage import Stage, moment
from dispatch.demo.technicians import DAYS
from dispatch.models.roster import Roster
from dispatch.rules.roster import plan_shifts, technician_data
from dispatch.topics import DEAD_LETTERS, WORK_ORDERS

KNOWN_WITHIN_S = 30.0


def shifts_of_the_day(roster: Roster) -> list[Data]:
    """The shifts of last night, today and tomorrow that are not over when the day begins."""
    planned = [shift for day in DAYS for shift in plan_shifts(roster, day, ZONE)]
    return [shift for shift in planned if moment(shift["end"]) > BEGIN]


async def publish_roster(stage: Stage, client: Mapping[str, Any], roster: Roster) -> int:
    """Publish who works, when, and how they hear, and wait until the log knows it; how many events that took."""
    people = [technician_data(one, ZONE) | {"hooks": [APP]} for one in roster.technicians]
    shifts = shifts_of_the_day(roster)
    for person in people:
        await stage.staff("technician.updated", f"{person['id']}/{person['version']}", person["id"], person)
    for shift in shifts:
        key = shift["technician_id"]
        await stage.staff("shift.planned", f"{key}/{shift['start']}", key, shift)
    async with asyncio.timeout(KNOWN_WITHIN_S):
        await _heard(client, len(people) + len(shifts))
    return len(people) + len(shifts)


async def _heard(client: Mapping[str, Any], expected: int) -> None:
    wanted = {b"dispatch.technician.updated.v1", b"dispatch.shift.planned.v1"}
    consumer = AIOKafkaConsumer(
        WORK_ORDERS, DEAD_LETTERS, **client, group_id=None, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        while expected > 0:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    letter = record.topic == DEAD_LETTERS
                    expected -= letter or dict(record.headers)["ce_type"] in wanted
    finally:
        await consumer.stop()
