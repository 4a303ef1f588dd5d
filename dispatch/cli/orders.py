"""``dispatch orders``: what is open, and when it is due next."""

from datetime import datetime
from typing import Any, Final

import click
import msgspec

from dispatch.cli.connections import policies, redis_store, run
from dispatch.cli.group import CommandError, make_command
from dispatch.cli.moments import clock_of, left, span
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_json_lines, print_rows
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, Order, text_of
from dispatch.settings import Settings
from dispatch.stores.base import TerritoryKey

COLUMNS: Final = (
    "id", "display_no", "state", "urgency", "trade", "hint", "place", "owner", "technician", "next_deadline", "age",
)  # fmt: skip
_decode = msgspec.msgpack.Decoder(Order).decode


@make_command("orders", example="dispatch orders --open --territory north\ndispatch orders --state on_hold --json")
@click.option("--open/--final", "is_open", default=True, help="Open orders, or those that nothing is left to do for.")
@click.option("--territory", help="Only this territory.")
@click.option("--state", help="Only this state, for example offered or on_hold.")
@as_json
@with_settings("kafka", "redis")
def command(settings: Settings, territory: str | None, state: str | None, *, is_open: bool, as_json: bool) -> None:
    """List work orders, the next deadline first.

    Open ones are read as the engine has them in Redis; final ones as long as they are remembered there.
    """
    rows = run(lambda: _orders(settings, territory, state, is_open=is_open), settings, redis=True)
    if as_json:
        print_json_lines(rows)
    else:
        print_rows(COLUMNS, [[row[name] for name in COLUMNS] for row in rows])


async def _orders(
    settings: Settings, territory: str | None, state: str | None, *, is_open: bool
) -> list[dict[str, Any]]:
    policy = (await policies(settings)).latest
    if territory is not None and territory not in policy.territories:
        raise CommandError(f"no territory {territory!r}; there are: {', '.join(policy.territories)}")
    now = clock_of(settings).now()
    rows: list[tuple[str, dict[str, Any]]] = []
    async with redis_store(settings) as store:
        for name in [territory] if territory else policy.territories:
            key = TerritoryKey(policy.tenant, name)
            found = await (store.orders(key) if is_open else store.finals(key))
            orders = (order for order in map(_decode, found.values()) if state in (None, order.state))
            rows += [_row(order, name, policy, now) for order in orders]
    return [row for _due, row in sorted(rows, key=lambda each: (each[0], each[1]["id"]))]


def _row(order: Order, territory: str, policy: Policy, now: datetime) -> tuple[str, dict[str, Any]]:
    clock = next_clock(order)
    due = text_of(clock.due_at) if clock else None
    return due or "9", {
        "id": order.id,
        "display_no": order.display_no,
        "territory": territory,
        "state": order.state if order.moved_to is None else f"moved to {order.moved_to}",
        "urgency": order.urgency,
        "trade": order.trade,
        "hint": hint_of(order),
        "place": place_of(order, policy),
        "owner": f"{order.owner.kind}/{order.owner.id}",
        "technician": [leg.technician_id for leg in order.active_legs()],
        "next_deadline": f"{clock.name} {left(clock.due_at, now)}" if clock else None,
        "clock": clock.name if clock else None,
        "due_at": due,
        "age": span((now - order.reported_at).total_seconds()),
        "reported_at": text_of(order.reported_at),
    }


def next_clock(order: Order) -> Clock | None:
    """The running clock that is due next, or is over for longest."""
    running = [clock for clock in order.clocks.values() if clock.state == "running"]
    return min(running, key=lambda clock: clock.due_at, default=None)


def hint_of(order: Order) -> str | None:
    """What a larger model has told the front desk, while nobody has placed the order: ``plumbing 0.8``."""
    if order.advice is None or not order.needs_triage:
        return None
    return f"{order.advice['trade']} {order.advice['confidence']:.2g}"


def place_of(order: Order, policy: Policy) -> str | None:
    """The place's name in the policy, with floor and room."""
    location = order.location
    area = policy.areas.get(str(location.get("area_id")))
    words = [area.name.zh if area else location.get("area_id"), location.get("floor"), location.get("room")]
    return " ".join(str(word) for word in words if word) or None
