"""``dispatch status``: lanes, who owns them, how far behind they are, and whether their clocks are late."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import msgspec

from dispatch.cli.connections import lane_of, partitions_of, policies, redis_store, run
from dispatch.cli.group import FOUND, make_command
from dispatch.cli.groups import Group, groups
from dispatch.cli.moments import clock_of, local, span
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_json, print_rows, say
from dispatch.rules.state import moment_of, text_of
from dispatch.settings import Settings
from dispatch.stores.base import TerritoryKey
from dispatch.topics import COMMANDS

COLUMNS: Final = ("lane", "territories", "owners", "lag", "decided", "next_timer", "wrong")


class LaneSeen(msgspec.Struct, kw_only=True):
    """One lane. ``owners`` and ``lag`` by role; ``late_s`` in domain time, None when nothing is due."""

    lane: int
    territories: list[str]
    owners: dict[str, str | None]
    lag: dict[str, int]
    decided_at: str | None = None
    next_timer_at: str | None = None
    late_s: float | None = None
    wrong: list[str] = []


@make_command("status", example="dispatch status\ndispatch status --lag 200 --late 5 --json | jq .wrong")
@click.option("--lag", "most_lag", type=click.IntRange(0), default=1000, show_default=True,
              help="Records that may wait in a lane; more are wrong when they do not get fewer.")  # fmt: skip
@click.option("--late", "most_late_s", type=click.FloatRange(0), default=10.0, show_default=True,
              help="Seconds for which a timer may have been due.")  # fmt: skip
@click.option("--look", "look_s", type=click.FloatRange(0), default=3.0, show_default=True,
              help="Seconds until a long backlog is looked at again.")  # fmt: skip
@as_json
@with_settings("kafka", "redis")
@click.pass_context
def command(
    ctx: click.Context, settings: Settings, most_lag: int, most_late_s: float, look_s: float, *, as_json: bool
) -> None:
    """Tell of each lane who owns it, how many records wait, what it decided last and which timer is next.

    Exit code 1 when something is wrong: a lane that nobody owns, a long backlog that does not get shorter, a timer
    that has been due for long. Asks Kafka and Redis, no worker.
    """

    async def looked() -> tuple[list[LaneSeen], str]:
        return await look(settings, most_lag=most_lag, most_late_s=most_late_s, look_s=look_s)

    lanes, timezone = run(looked, settings, redis=True)
    wrong = told(lanes)
    if as_json:
        print_json({"ok": not wrong, "wrong": wrong, "lanes": lanes})
    else:
        zone = ZoneInfo(timezone)
        print_rows(COLUMNS, [_row(lane, zone) for lane in lanes])
        for line in wrong:
            say(line)
    if wrong:
        ctx.exit(FOUND)


async def look(settings: Settings, *, most_lag: int, most_late_s: float, look_s: float) -> tuple[list[LaneSeen], str]:
    """The lanes, and the time zone of the site. A long backlog is looked at twice."""
    policy = (await policies(settings)).latest
    partitions = await partitions_of(settings, COMMANDS)
    found = await groups(settings)
    before: Mapping[str, Mapping[int, int]] = {}
    if any(waiting > most_lag for group in found for waiting in group.lag.values()):
        before = {group.role: group.lag for group in found}
        await asyncio.sleep(look_s)
        found = await groups(settings)
    keys = {name: TerritoryKey(policy.tenant, name) for name in policy.territories}
    homes = {name: lane_of(str(key), partitions) for name, key in keys.items()}
    lanes = [
        seen(number, [name for name, home in homes.items() if home == number], found) for number in range(partitions)
    ]
    clock = clock_of(settings)
    async with redis_store(settings) as store:
        for lane in lanes:
            mine = [keys[name] for name in lane.territories]
            decided = [meta.now for meta in await store.metas(mine) if meta is not None and meta.now]
            due_ms = [ms for ms in await store.next_due(mine) if ms is not None]
            lane.decided_at = max(decided, default=None)
            if due_ms:
                first = datetime.fromtimestamp(min(due_ms) / 1000, UTC)
                lane.next_timer_at = text_of(first)
                lane.late_s = max(0.0, round((clock.now() - first).total_seconds(), 3))
    for lane in lanes:
        lane.wrong = judge(lane, before, most_lag=most_lag, most_late_s=most_late_s * clock.speed)
    return lanes, policy.site.timezone


def seen(number: int, territories: Sequence[str], found: Sequence[Group]) -> LaneSeen:
    """A lane as its groups know it."""
    return LaneSeen(
        lane=number,
        territories=sorted(territories),
        owners={group.role: group.owners.get(number) for group in found},
        lag={group.role: group.lag[number] for group in found if number in group.lag},
    )


def judge(lane: LaneSeen, before: Mapping[str, Mapping[int, int]], *, most_lag: int, most_late_s: float) -> list[str]:
    """What is wrong with a lane: ``no-owner:ROLE``, ``lag-grows:ROLE``, ``timers-late``. ``before``: an earlier lag."""
    wrong = [f"no-owner:{role}" for role, owner in lane.owners.items() if owner is None]
    for role, waiting in lane.lag.items():
        if waiting > most_lag and waiting >= before.get(role, {}).get(lane.lane, 0):
            wrong.append(f"lag-grows:{role}")
    if lane.late_s is not None and lane.late_s > most_late_s:
        wrong.append("timers-late")
    return wrong


_SAYS: Final = {
    "no-owner": "nobody plays {role} for {lanes}: start a worker, or wait for the session timeout of one that died",
    "lag-grows": "{role} does not keep up with {lanes}: look at the worker that owns them, or add workers",
    "timers-late": "timers are late in {lanes}: no worker plays clock or desk there, or the desk does not keep up",
}


def told(lanes: Sequence[LaneSeen]) -> list[str]:
    """What is wrong, one line a thing, with the lanes that have it."""
    having: dict[str, list[int]] = {}
    for lane in lanes:
        for what in lane.wrong:
            having.setdefault(what, []).append(lane.lane)
    lines = []
    for what, numbers in having.items():
        code, _colon, role = what.partition(":")
        named = f"lane {numbers[0]}" if len(numbers) == 1 else f"lanes {', '.join(map(str, numbers))}"
        lines.append(f"{what}: {_SAYS[code].format(role=role, lanes=named)}")
    return lines


def _row(lane: LaneSeen, zone: ZoneInfo) -> list[Any]:
    names = sorted({name or "nobody" for name in lane.owners.values()})
    owners = names[0] if len(names) == 1 else [f"{role} {name or 'nobody'}" for role, name in lane.owners.items()]
    decided, timer = lane.decided_at, lane.next_timer_at
    late = f", {span(lane.late_s)} over" if lane.late_s else ""
    return [
        lane.lane,
        lane.territories,
        owners,
        [f"{role} {waiting}" for role, waiting in lane.lag.items()],
        local(moment_of(decided), zone) if decided else None,
        local(moment_of(timer), zone) + late if timer else None,
        lane.wrong,
    ]
