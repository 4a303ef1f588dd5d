"""What intake does with texts and people, without an engine."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given as each
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatch.agents import privacy
from dispatch.agents.openings import written
from dispatch.errors import Rejected
from dispatch.models.base import Location
from dispatch.models.cloudevents import parse
from dispatch.models.people import PersonRef
from dispatch.models.requests import RequestSubmitted, given
from dispatch.rules.state import moment_of, text_of

WORDS = st.sampled_from(
    ["138", "1234", "5678", "021-", "7654321", "+86 ", "a.b", "@", "x.cn", " ", "三楼", "１３８", "٣٣٣٣"]
)
LINES = st.none() | st.text(max_size=5)


@each(st.lists(WORDS | st.text(max_size=3), max_size=8).map("".join))
def test_no_contact_is_overlooked(text):
    assert privacy.scrub(text) == privacy._CONTACT.sub("[contact]", text)


@each(st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))])))  # noqa: DTZ001
def test_a_moment_is_written_as_it_is_read_again(moment):
    assert written(moment) == text_of(moment_of(moment.isoformat()))


@each(
    st.builds(
        PersonRef, id=st.text(min_size=1, max_size=5, alphabet="ab"), name=LINES, vulnerable=st.none() | st.booleans()
    )
)
def test_of_a_person_all_is_kept_that_was_given(person):
    assert given(person) == person.model_dump(mode="json", exclude_none=True)


@each(
    st.builds(
        Location, building=LINES, note=LINES, lat=st.none() | st.floats(-90, 90), lon=st.none() | st.integers(-180, 180)
    )
)
def test_of_a_location_all_is_kept_that_was_given(location):
    assert given(location) == location.model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00"])
@pytest.mark.parametrize("field", ["reported_at", "noticed_at", "due_at", "time"])
def test_a_moment_at_the_end_of_the_calendar_is_refused(field, moment):
    data = {"channel": "app", "reporter": {"id": "u1"}, "text": "tap", field: moment}
    envelope = {"specversion": "1.0", "id": "r1", "source": "/t", "type": "dispatch.request.submitted.v1", "data": data}
    if field == "time":
        envelope["time"] = data.pop("time")
    with pytest.raises((Rejected, ValidationError)):
        RequestSubmitted.model_validate_json(parse([], None, json.dumps(envelope).encode()).data)
