"""Times and durations as people read and write them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import click

from dispatch.errors import ConfigError
from dispatch.settings import Settings
from dispatch.timing import Clock, make_clock

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_GIVEN: Final = re.compile(r"^(\d+)\s*(s|m|min|h|d)$")
_GIVEN_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def clock_of(settings: Settings) -> Clock:
    """The clock of the settings. Raises ConfigError that says how it is written."""
    try:
        return make_clock(settings.clock)
    except ValueError as error:
        raise ConfigError("environment", None, f"DISPATCH_CLOCK: {error}") from None


def span(seconds: float) -> str:
    """``4800`` -> ``1 h 20 min``: the two largest units."""
    left, parts = int(abs(seconds)), list[str]()
    for size, unit in _UNITS:
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2])


def left(due: datetime, now: datetime) -> str:
    """``in 1 h 20 min``, or ``3 min over``."""
    seconds = (due - now).total_seconds()
    return f"in {span(seconds)}" if seconds >= 0 else f"{span(seconds)} over"


def local(moment: datetime, zone: tzinfo) -> str:
    """``2026-03-02 08:10:00`` in a zone."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


class Since(click.ParamType):
    """How long ago (``90m``, ``2h``, ``3d``), or an RFC 3339 moment; a wall-clock moment in UTC."""

    name = "AGO|TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See click."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        if found := _GIVEN.match(text):
            return datetime.now(UTC) - timedelta(seconds=int(found[1]) * _GIVEN_S[found[2]])
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither a span such as 2h nor a time such as 2026-03-02T08:00:00+08:00", param, ctx)
        return moment.astimezone(UTC)
