"""Working time: when a promise of so many working seconds falls due, and how many have passed.

A calendar says on which local hours of which days a clock runs (:class:`dispatch.models.policy.Calendar`).
Here it is compiled, one UTC year at a time, into a sorted list of working spans (microseconds since the
epoch) with running totals, so that both questions are a binary search.

What is counted is real elapsed time. A span opens at the first instant of its local day whose wall clock
reads at least its start, and closes at the first one that reads at least its end: where a clock jumps forward
inside the span, the skipped hour is not counted; where it is set back, the repeated hour is counted twice.
"""

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from dispatch.errors import Rejected
from dispatch.models.policy import Calendar
from dispatch.models.policy_base import WEEKDAYS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SEARCH_YEARS = 50
"""How far ahead ``WorkingCalendar.add`` looks, and how long a time ``WorkingCalendar.between`` sums."""

_SECOND = 1_000_000
_DAY = timedelta(days=1)
_FIRST_YEAR, _LAST_YEAR = 1900, 9998


class NoWorkingTime(Rejected):
    """A calendar has too little working time within reach, or the year asked for is out of its reach."""

    def __init__(self, message: str) -> None:
        """Always of the code ``no-working-time``."""
        super().__init__("no-working-time", message)


class WorkingCalendar:
    """A calendar, compiled. It always gives the same answers: only its cache of years changes."""

    __slots__ = ("_holidays", "_makeup", "_week", "_years", "_zone", "always", "id")

    def __init__(self, calendar: Calendar, calendar_id: str = "") -> None:
        """Compile ``calendar``; ``calendar_id`` is only named in errors."""
        self.id = calendar_id
        self.always = calendar.always
        self._zone = ZoneInfo(calendar.timezone)
        self._week = tuple(tuple(sorted(calendar.week.get(day, ()))) for day in WEEKDAYS)
        self._holidays = frozenset(calendar.holidays)
        self._makeup = {day: WEEKDAYS.index(like) for day, like in calendar.makeup.items()}
        self._years: dict[int, _Year] = {}

    def add(self, start: datetime, seconds: int) -> datetime:
        """The first moment (UTC) by which ``seconds`` of working time have passed since ``start`` (aware).

        The end of a working span counts as that moment: four hours from 08:00 of a day that works 08:00 to
        12:00 end at 12:00, not when work begins again. Nothing to wait for gives ``start`` itself.

        Raises:
            ValueError: if ``start`` is naive or ``seconds`` negative.
            NoWorkingTime: if the calendar has less working time than that in the next ``SEARCH_YEARS`` years.
        """
        if start.tzinfo is not UTC:
            start = _as_utc(start)
        if seconds < 0:
            msg = f"working seconds to add must not be negative, got {seconds}"
            raise ValueError(msg)
        if self.always or seconds == 0:
            return start + timedelta(seconds=seconds)
        number = start.year
        year = self._year(number)
        wanted = year.worked_until(_micros(start)) + seconds * _SECOND
        last = number + SEARCH_YEARS
        while wanted > year.total:
            wanted -= year.total
            number += 1
            if number > last:
                within = f"in the {SEARCH_YEARS} years from {start}"
                msg = f"calendar {self.id!r} has no {seconds} s of working time {within}"
                raise NoWorkingTime(msg)
            year = self._year(number)
        return EPOCH + timedelta(microseconds=year.moment_of(wanted))

    def between(self, start: datetime, end: datetime) -> int:
        """Whole working seconds from ``start`` to ``end`` (both aware); 0 if ``end`` is not after ``start``.

        Raises:
            ValueError: if one of them is naive.
            NoWorkingTime: if they lie more than ``SEARCH_YEARS`` years apart (``always`` has no such limit).
        """
        if start.tzinfo is not UTC:
            start = _as_utc(start)
        if end.tzinfo is not UTC:
            end = _as_utc(end)
        if end <= start:
            return 0
        if self.always:
            passed = end - start
            return passed.days * 86_400 + passed.seconds
        if end.year - start.year > SEARCH_YEARS:
            msg = f"calendar {self.id!r} sums at most {SEARCH_YEARS} years, asked from {start} to {end}"
            raise NoWorkingTime(msg)
        worked = self._year(end.year).worked_until(_micros(end))
        worked -= self._year(start.year).worked_until(_micros(start))
        worked += sum(self._year(number).total for number in range(start.year, end.year))
        return worked // _SECOND

    def _year(self, number: int) -> "_Year":
        year = self._years.get(number)
        if year is None:
            if not _FIRST_YEAR <= number <= _LAST_YEAR:
                known = f"the years {_FIRST_YEAR} to {_LAST_YEAR}"
                msg = f"calendar {self.id!r} knows {known}, asked for {number}"
                raise NoWorkingTime(msg)
            year = self._years[number] = self._compile(number)
        return year

    def _compile(self, number: int) -> "_Year":
        """The spans inside one UTC year; those that cross its ends are cut there."""
        first = _micros(datetime(number, 1, 1, tzinfo=UTC))
        last = _micros(datetime(number + 1, 1, 1, tzinfo=UTC))
        day = date(number, 1, 1) - _DAY
        spans: list[tuple[int, int]] = []
        while day <= date(number + 1, 1, 1):
            spans += [(max(a, first), min(b, last)) for a, b in self._spans_of(day)]
            day += _DAY
        return _Year([(a, b) for a, b in sorted(spans) if a < b])

    def _spans_of(self, day: date) -> list[tuple[int, int]]:
        weekday = self._makeup.get(day)
        if weekday is None:
            if day in self._holidays:
                return []
            weekday = day.weekday()
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a local wall clock, given its zone below
        return [
            (self._instant(midnight + timedelta(seconds=a)), self._instant(midnight + timedelta(seconds=b)))
            for a, b in self._week[weekday]
        ]

    def _instant(self, wall: datetime) -> int:
        """The first instant (microseconds) at which the local wall clock reads ``wall`` or more."""
        before = wall.replace(tzinfo=self._zone, fold=0).astimezone(UTC)
        after = wall.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        if after >= before:  # an ordinary time, or a repeated one, whose first reading is meant
            return _micros(before)
        # The time is skipped: find where between the two readings the clock jumped.
        low, high = _micros(after) // _SECOND, _micros(before) // _SECOND
        while high - low > 1:
            middle = (low + high) // 2
            local = (EPOCH + timedelta(seconds=middle)).astimezone(self._zone).replace(tzinfo=None)
            low, high = (low, middle) if local >= wall else (middle, high)
        return high * _SECOND


class _Year:
    """The working spans of one UTC year, microseconds since the epoch, and what was worked before each."""

    __slots__ = ("_done", "_ends", "_starts", "total")

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._done = list(accumulate((end - start for start, end in spans), initial=0))
        self.total = self._done[-1]

    def worked_until(self, moment: int) -> int:
        """Microseconds worked in this year before ``moment``."""
        index = bisect_right(self._starts, moment) - 1
        if index < 0:
            return 0
        return self._done[index] + min(moment, self._ends[index]) - self._starts[index]

    def moment_of(self, worked: int) -> int:
        """The first moment by which so much (more than 0, at most ``total``) has been worked."""
        index = bisect_left(self._done, worked) - 1
        return self._starts[index] + worked - self._done[index]


def _micros(moment: datetime) -> int:
    span = moment - EPOCH
    return (span.days * 86_400 + span.seconds) * _SECOND + span.microseconds


def _as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None or moment.utcoffset() is None:
        msg = f"a time with an offset is needed, got {moment!r}"
        raise ValueError(msg)
    return moment.astimezone(UTC)
