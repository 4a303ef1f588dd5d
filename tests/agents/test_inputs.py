"""What intake does with texts and people, without an engine."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given as each
from hypothesis import strategies as st

from dispatch.agents import privacy
from dispatch.agents.inputs import written
from dispatch.models.base import Location
from dispatch.models.people import PersonRef
from dispatch.models.requests import given
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
