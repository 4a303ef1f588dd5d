"""The clocks that hand time to the engine. Rules never read one: they are given ``now``.

Domain time may be scaled (a simulated day); Kafka timestamps, timeouts and back-offs always use wall time.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where domain time comes from."""

    speed: float

    def now(self) -> datetime:
        """Domain time in UTC, in whole milliseconds, never backwards."""


class WallClock:
    """The wall clock at start, carried on by the monotonic clock, so that it never runs backwards."""

    speed = 1.0

    def __init__(self) -> None:
        """Read the wall clock once."""
        self._start = datetime.now(UTC)
        self._start_s = time.monotonic()

    def now(self) -> datetime:
        """See Clock."""
        return _cut(self._start + timedelta(seconds=time.monotonic() - self._start_s))

    def divergence_s(self) -> float:
        """How far the wall clock has gone from this one, in seconds: stepped, slewed, or a machine that slept."""
        return (datetime.now(UTC) - self.now()).total_seconds()


class ScaledClock:
    """Domain time that began at ``start`` when the wall clock read ``since``, and runs ``speed`` times as fast.

    Two processes with the same three values agree, which is how a simulated day spans workers and clients.
    """

    def __init__(self, start: datetime, since: float, speed: float) -> None:
        """``since`` in seconds since the epoch."""
        self.speed = speed
        self._start = start.astimezone(UTC)
        self._offset_s = time.time() - since - time.monotonic()

    def now(self) -> datetime:
        """See Clock."""
        return _cut(self._start + timedelta(seconds=(time.monotonic() + self._offset_s) * self.speed))


_SCALED = re.compile(r"^(?P<start>\S+)@(?P<since>[0-9.]+)x(?P<speed>[0-9.]+)$")


def make_clock(text: str | None) -> Clock:
    """``None`` -> the wall clock; ``2026-03-02T06:00:00+08:00@1772400000.5x900`` -> a scaled one.

    Raises ValueError that says how it is written.
    """
    if not text:
        return WallClock()
    found = _SCALED.match(text)
    if found is None or datetime.fromisoformat(found["start"]).tzinfo is None:
        msg = f"{text!r} is no clock; write START@SINCExSPEED, for example 2026-03-02T06:00:00+08:00@1772400000x900"
        raise ValueError(msg)
    return ScaledClock(datetime.fromisoformat(found["start"]), float(found["since"]), float(found["speed"]))


def _cut(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
