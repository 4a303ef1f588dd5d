"""Events as the rules speak of them, and what one decision is.

``Event.type`` is the short name (``work-order.opened``); :func:`full_type` gives the name on the wire.
"""

from functools import lru_cache

import msgspec

from dispatch.rules.state import Clock, Data, Order, Record, Stopped


class Event(Record, frozen=True, kw_only=True):
    """One thing that happened. ``time`` is when it occurred, RFC 3339; ``sequence`` numbers a territory's events."""

    sequence: int
    type: str
    subject: str
    time: str
    data: Data
    correlation: str | None = None
    causation: str | None = None
    policy_version: str | None = None
    traceparent: str | None = None


@lru_cache(maxsize=256)
def full_type(short: str) -> str:
    """``work-order.opened`` -> ``dispatch.work-order.opened.v1``."""
    return f"dispatch.{short}.v1"


@lru_cache(maxsize=256)
def short_type(full: str) -> str:
    """``dispatch.work-order.opened.v1`` -> ``work-order.opened``."""
    return full.removeprefix("dispatch.").removesuffix(".v1")


def clocks_field(short: str) -> str:
    """Where an event of this type carries the clocks that it starts, stops or moves."""
    if short == "work-order.opened":
        return "targets"
    return "clocks" if short.startswith("clock.") else "clock_changes"


def _clock(said: Data) -> Clock | Stopped:
    """A clock is said whole when it begins or moves, and in part when it is stopped."""
    return msgspec.convert(said, Clock) if "target_s" in said else msgspec.convert(said, Stopped)


def revive(event: Event) -> Event:
    """The event read back from the log, as it was when it was decided: clocks and snapshots typed again."""
    data = event.data
    typed: Data = {}
    field = clocks_field(event.type)
    if field in data:
        typed[field] = [_clock(one) for one in data[field]]
    if event.type == "work-order.transferred-in":
        typed["order"] = msgspec.convert(data["order"], Order)
    return msgspec.structs.replace(event, data={**data, **typed}) if typed else event
