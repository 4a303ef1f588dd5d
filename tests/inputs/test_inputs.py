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
    [
        "138",
        "1234",
        "5678",
        "021-",
        "7654321",
        "+86 ",
        "a.b",
        "@",
        "x.cn",
        " ",
        "三楼",
        "１３８",
        "٣٣٣٣",
        "电话",
        "ext ",
        "分机",
    ]
)
MORE_WORDS = st.sampled_from(
    ["call me at ", "12", "微信", "vx:", "abc_def", "QQ", "WeChat ID ", "+", "44 20 7", "幺三", "八九零", "三四五六七"]
)
LINES = st.none() | st.text(max_size=5)


@each(st.lists(WORDS | MORE_WORDS | st.text(max_size=3), max_size=8).map("".join))
def test_no_contact_is_overlooked(text):
    assert privacy.scrub(text) == privacy._CONTACT.sub("[contact]", text)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("3栋402漏水，电话13912345678，谢谢", "3栋402漏水，[contact]，谢谢"),
        ("打 139 1234 5678 找我", "打 [contact] 找我"),
        ("办公室025-83590402转8021", "办公室[contact]"),
        ("(025)8359 0402 ext. 12", "[contact]"),
        ("ring +44 20 7946 0958 please", "ring [contact] please"),
        ("my phone is 0412 345 678", "my [contact]"),
        ("电话：8359402", "[contact]"),
        ("内线8021", "[contact]"),
        ("微信号 abc_402x，加我", "[contact]，加我"),
        ("加我vx: dorm-402-li", "加我[contact]"),
        ("QQ 407301502", "[contact]"),
        ("电话是幺三九一二三四五六七八", "电话是[contact]"),
        ("a.b@x.cn or 3栋402", "[contact] or 3栋402"),
        ("微信支付失败，12栋402，400-820-1103", "微信支付失败，12栋402，400-820-1103"),
        ("3栋 402-403 电话线断了", "3栋 402-403 电话线断了"),
    ],
)
def test_ways_to_reach_somebody_are_taken_out(said, left):
    assert privacy.scrub(said) == left


@pytest.mark.parametrize(
    ("said", "phone", "extension"),
    [
        ("电话139 1234-5678，3栋402", "13912345678", None),
        ("025-83590402转8021", "02583590402", "8021"),
        ("+44 20 7946 0958 ext. 12", "+442079460958", "12"),
        ("幺三九一二三四五六七八", "13912345678", None),
        ("QQ 407301502", None, None),
        ("分机8021", None, None),
        ("灯坏了", None, None),
    ],
)
def test_a_number_in_the_text_is_the_reporters_if_the_channel_gave_none(said, phone, extension):
    kept = json.loads(privacy.person_details(PersonRef(id="u1"), said))
    assert (kept.get("phone"), kept.get("phone_extension")) == (phone, extension)
    for given_one in ({"phone": "110"}, {"email": "a@b.cn"}):
        kept = json.loads(privacy.person_details(PersonRef(id="u1", **given_one), said))
        assert {name: kept[name] for name in kept if name in {"phone", "email", "phone_extension"}} == given_one


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
