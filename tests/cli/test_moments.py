"""Spans and moments as people write and read them."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from dispatch.cli.moments import Since, left, span

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (90, "1 min 30 s"), (4800, "1 h 20 min"), (90_000, "1 d 1 h")]
)
def test_a_span_is_told_in_its_two_largest_units(seconds, text):
    assert span(seconds) == text


def test_what_is_due_is_ahead_or_over():
    assert left(NOW + timedelta(minutes=5), NOW) == "in 5 min"
    assert left(NOW - timedelta(minutes=5), NOW) == "5 min over"


def test_since_takes_spans_and_moments():
    since = Since()
    assert abs(since.convert("2h", None, None) - (datetime.now(UTC) - timedelta(hours=2))) < timedelta(seconds=5)
    assert since.convert("2026-03-02T08:00:00+08:00", None, None) == NOW
    with pytest.raises(click.BadParameter, match="neither a span such as 2h"):
        since.convert("soon", None, None)
