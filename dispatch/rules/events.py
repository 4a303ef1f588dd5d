"""Events as the rules speak of them, and what one decision is.

``Event.type`` is the short name (``work-order.opened``); :func:`full_type` gives the name on the wire.
"""

from functools import lru_cache

import msgspec

from dispatch.rules.state import Clock, Data, Order, Record


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


def revive(event: Event) -> Event:
    """The event read back from the log, as it was when it was decided: clocks and snapshots typed again."""
    data = event.data
    typed: Data = {}
    if event.type.startswith("clock."):
        typed["clocks"] = msgspec.convert(data["clocks"], list[Clock])
    if "clock_changes" in data:
        typed["clock_changes"] = msgspec.convert(data["clock_changes"], list[Clock])
    if event.type == "work-order.transferred-in":
        typed["order"] = msgspec.convert(data["order"], Order)
    return msgspec.structs.replace(event, data={**data, **typed}) if typed else event
