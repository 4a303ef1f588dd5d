"""Working time against an oracle that walks the clock minute by minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.models.policy import Calendar
from dispatch.models.policy_base import WEEKDAYS
from dispatch.rules.calendars import NoWorkingTime, WorkingCalendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFICE_HOURS = ("08:00-12:00", "13:30-17:30")


def office(timezone="Asia/Shanghai", hours=OFFICE_HOURS, days=WEEKDAYS[:5], **more):
    return WorkingCalendar(Calendar(timezone=timezone, week=dict.fromkeys(days, hours), **more), "office")


def local(text, zone=SHANGHAI):
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def minutes_worked(calendar, start, end):
    """The oracle: each local day by itself; an interval opens when its wall clock first reads the start."""
    zone = ZoneInfo(calendar.timezone)
    days = {}
    moment = (start - timedelta(days=2)).replace(hour=0, minute=0)
    while moment < end:
        wall = moment.astimezone(zone)
        days.setdefault(wall.date(), []).append((moment, wall.hour * 3600 + wall.minute * 60))
        moment += timedelta(minutes=1)
    worked = 0
    for day, minutes in days.items():
        weekday = calendar.makeup.get(day) or (WEEKDAYS[day.weekday()] if day not in calendar.holidays else None)
        for opens, closes in calendar.week.get(weekday, ()) if weekday else ():
            first = next((n for n, (_, wall) in enumerate(minutes) if wall >= opens), len(minutes))
            last = next((n for n, (_, wall) in enumerate(minutes) if wall >= closes), len(minutes))
            worked += sum(start <= moment < end for moment, _ in minutes[first:last])
    return worked


ZONES = ("Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia")
HALF_HOURS = st.integers(0, 47).map(lambda n: n * 1800)


@st.composite
def calendars(draw):
    """Any office: up to three intervals a day, some days off, some worked instead, in zones with and without DST."""
    week = {}
    for day in WEEKDAYS:
        edges = sorted(draw(st.sets(HALF_HOURS, min_size=0, max_size=6)))
        week[day] = tuple(zip(edges[::2], edges[1::2], strict=False))
    week["mon"] = week["mon"] or ((28800, 43200),)
    some_days = st.dates(date(2026, 3, 1), date(2026, 11, 30))
    return Calendar(
        timezone=draw(st.sampled_from(ZONES)),
        week=week,
        holidays=tuple(draw(st.sets(some_days, max_size=5))),
        makeup=draw(st.dictionaries(some_days, st.sampled_from(WEEKDAYS), max_size=3)),
    )


MOMENTS = st.integers(0, 270 * 86_400_000).map(lambda ms: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
SECONDS = st.integers(0, 40 * 3600)


@settings(max_examples=40, deadline=None)
@given(calendars(), MOMENTS, SECONDS)
def test_what_is_added_is_what_lies_between(calendar, start, seconds):
    working = WorkingCalendar(calendar)
    assert working.between(start, working.add(start, seconds)) == seconds


@settings(max_examples=40, deadline=None)
@given(calendars(), MOMENTS, SECONDS, SECONDS)
def test_adding_twice_is_adding_the_sum(calendar, start, first, second):
    working = WorkingCalendar(calendar)
    assert working.add(working.add(start, first), second) == working.add(start, first + second)


@settings(max_examples=40, deadline=None)
@given(calendars(), MOMENTS, MOMENTS, SECONDS)
def test_a_later_start_never_falls_due_earlier(calendar, one, other, seconds):
    working = WorkingCalendar(calendar)
    earlier, later = sorted((one, other))
    assert working.add(earlier, seconds) <= working.add(later, seconds)


@settings(max_examples=40, deadline=None)
@given(calendars(), MOMENTS, st.integers(1, 40 * 3600))
def test_the_moment_found_is_the_first_one(calendar, start, seconds):
    working = WorkingCalendar(calendar)
    due = working.add(start, seconds)
    assert working.between(start, due - timedelta(microseconds=1)) == seconds - 1


@settings(max_examples=40, deadline=None)
@given(calendars(), MOMENTS, st.integers(0, 3 * 1440))
def test_every_minute_counted_is_a_minute_on_the_clock(calendar, start, minutes):
    start = start.replace(second=0, microsecond=0)
    end = start + timedelta(minutes=minutes)
    assert WorkingCalendar(calendar).between(start, end) == 60 * minutes_worked(calendar, start, end)


def test_work_rests_over_noon_night_and_weekend():
    friday = local("2026-03-06T11:00")
    assert office().add(friday, 3600) == local("2026-03-06T12:00")
    assert office().add(friday, 3601) == local("2026-03-06T13:30:01")
    assert office().add(friday, 6 * 3600) == local("2026-03-09T09:00")


def test_a_holiday_is_skipped_and_a_makeup_day_is_worked():
    calendar = office(holidays=(date(2026, 10, 1), date(2026, 10, 2)), makeup={date(2026, 10, 10): "wed"})
    assert calendar.add(local("2026-09-30T17:00"), 3600) == local("2026-10-05T08:30")
    assert calendar.between(local("2026-10-10T00:00"), local("2026-10-11T00:00")) == 8 * 3600


def test_a_makeup_day_wins_over_a_holiday_of_the_same_date():
    day = date(2026, 10, 7)
    calendar = office(holidays=(day,), makeup={day: "mon"})
    assert calendar.between(local("2026-10-07T00:00"), local("2026-10-08T00:00")) == 8 * 3600


def test_a_makeup_day_works_like_the_weekday_it_names():
    calendar = WorkingCalendar(
        Calendar(timezone="Asia/Shanghai", week={"fri": ("08:00-12:00",)}, makeup={date(2026, 3, 7): "fri"})
    )
    assert calendar.between(local("2026-03-07T00:00"), local("2026-03-08T00:00")) == 4 * 3600


def test_the_hour_that_spring_skips_is_not_worked():
    berlin = ZoneInfo("Europe/Berlin")
    calendar = office("Europe/Berlin", hours=("01:00-04:00",), days=WEEKDAYS)
    assert calendar.between(local("2026-03-29T00:00", berlin), local("2026-03-29T12:00", berlin)) == 2 * 3600


def test_an_interval_that_begins_in_the_skipped_hour_begins_when_the_clock_has_jumped():
    calendar = office("Europe/Berlin", hours=("02:30-04:00",), days=WEEKDAYS)
    first = calendar.add(datetime(2026, 3, 29, tzinfo=UTC), 1)
    assert first == datetime(2026, 3, 29, 1, 0, 1, tzinfo=UTC)


def test_the_hour_that_autumn_repeats_is_worked_twice():
    berlin = ZoneInfo("Europe/Berlin")
    calendar = office("Europe/Berlin", hours=("01:00-04:00",), days=WEEKDAYS)
    assert calendar.between(local("2026-10-25T00:00", berlin), local("2026-10-25T12:00", berlin)) == 4 * 3600


def test_a_day_may_work_until_midnight():
    calendar = office(hours=("20:00-24:00",), days=WEEKDAYS)
    assert calendar.add(local("2026-03-02T23:00"), 2 * 3600) == local("2026-03-03T21:00")


def test_always_is_plain_addition():
    calendar = WorkingCalendar(Calendar(timezone="Asia/Shanghai", always=True))
    start = datetime(2026, 3, 2, 0, 10, tzinfo=UTC)
    assert calendar.add(start, 900) == start + timedelta(minutes=15)
    assert calendar.between(start, start + timedelta(days=3, microseconds=7)) == 3 * 86400


def test_the_answer_is_in_utc_whatever_the_zone_of_the_question():
    start = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)
    assert office().add(start, 60) == datetime(2026, 3, 2, 1, 1, tzinfo=UTC)
    assert office().add(start, 60).tzinfo is UTC


def test_nothing_lies_between_a_moment_and_an_earlier_one():
    assert office().between(local("2026-03-03T10:00"), local("2026-03-02T10:00")) == 0


def test_a_time_without_offset_is_refused():
    with pytest.raises(ValueError, match="offset"):
        office().add(datetime(2026, 3, 2, 9), 60)  # noqa: DTZ001


def test_a_negative_time_is_refused():
    with pytest.raises(ValueError, match="negative"):
        office().add(local("2026-03-02T09:00"), -1)


def test_a_calendar_without_working_time_says_so_and_does_not_search_for_ever():
    empty = WorkingCalendar(Calendar(timezone="Asia/Shanghai"), "empty")
    with pytest.raises(NoWorkingTime, match=r"'empty' has no 60 s"):
        empty.add(local("2026-03-02T09:00"), 60)


@pytest.mark.parametrize("year", [1, 1899, 9999])
def test_a_year_out_of_reach_is_refused(year):
    with pytest.raises(NoWorkingTime):
        office().add(datetime(year, 6, 1, tzinfo=UTC), 60)


def test_a_time_longer_than_the_search_is_refused():
    with pytest.raises(NoWorkingTime, match="sums at most"):
        office().between(local("1950-01-01T00:00"), local("2026-01-01T00:00"))
