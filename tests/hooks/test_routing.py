"""Who is told of an event, why, in which words, and when: a table, on orders that the rules have made."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.config import load_config, load_hooks
from dispatch.hooks.checks import TOLD_TYPES, check_hooks
from dispatch.hooks.routing import Known, Moment, RoutingTable, Told, locale_of
from dispatch.hooks.words import FIELDS, fields_of, quiet_until, render
from dispatch.models.hooks import HooksDocument, Words
from dispatch.testing import Day
from tests.rules.small_policy import direct_policy, small_policy

CONFIG = Path(__file__).resolve().parents[2] / "config"
NOON = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
TEMPLATE = {"title": "{display_no}", "text": "{words}\n{promise}\n{reason}"}
DOCUMENT = {
    "hooks": {"app": {"kind": "log"}, "robot": {"kind": "log"}, "mail": {"kind": "log"}},
    "defaults": {"technician": ["app"], "reporter": ["mail"], "role": ["robot"], "person": ["mail"]},
    "templates": {"plain": {"zh": TEMPLATE, "en": TEMPLATE}},
    "routes": [],
}


def document(*routes, **more):
    found = {**DOCUMENT, **more, "routes": [{"template": "plain", **route} for route in routes]}
    return HooksDocument.model_validate(found)


class Story:
    """An order of the rules, and what routing makes of its events."""

    def __init__(self, policy=None, **technician):
        self.day = Day(policy or small_policy())
        with self.day.batch():
            for name in ("ann", "bob"):
                self.day.technician(name, skills={"plumbing": 3}, hours=100, **technician)
        self.order = self.day.report("leak", trade="plumbing", reporter={"subject_id": "s1", "locale": "en-GB"})

    def plan(self, found, kind, *, at=NOON, people=None, speed=1.0):
        event = self.day.told(self.order, kind)[0]
        lane = next(iter(self.day.lanes.values())).territory
        known = Known(
            order=self.day.order(self.order),
            technicians=lane.technicians,
            people={"s1": {"reply_to": "app"}} if people is None else people,
        )
        told = Told(
            id=f"campus:t1:{event.sequence}",
            type=event.type,
            subject=event.subject,
            territory=lane.id,
            data=msgspec.to_builtins(event.data),
        )
        return RoutingTable(found).plan(told, known, self.day.policy, Moment(domain=at, wall=1000.0, speed=speed))


def test_a_technician_hears_through_their_own_hooks_in_their_own_language():
    story = Story(hooks=["mail", "nowhere"], languages=["en", "zh"])
    (one,) = story.plan(document({"event": "work-order.offered", "to": ["technician"]}), "work-order.offered")
    assert (one.receiver.partition("/")[0], one.hooks, one.locale) == ("technician", ("mail",), "en")
    assert one.why == "route 1: technician of the leg"
    assert one.facts["assignment_id"] == one.assignment_id


def test_a_reporter_hears_where_they_asked_to_be_answered():
    story = Story()
    (one,) = story.plan(document({"event": "work-order.opened", "to": ["reporter"]}), "work-order.opened")
    assert (one.receiver, one.hooks, one.locale) == ("reporter/s1", ("app",), "en")


@pytest.mark.parametrize(("details", "hooks"), [({}, ("mail",)), ({"reply_to": "carrier-pigeon"}, ("mail",))])
def test_a_reporter_who_asked_for_nothing_that_there_is_hears_through_the_default(details, hooks):
    (one,) = Story().plan(
        document({"event": "work-order.opened", "to": ["reporter"]}), "work-order.opened", people={"s1": details}
    )
    assert one.hooks == hooks


def test_who_is_unknown_comes_out_as_dropped_with_its_reason():
    (one,) = Story().plan(
        document({"event": "work-order.opened", "to": ["reporter"]}), "work-order.opened", people={"s1": None}
    )
    assert (one.state, one.reason) == ("dropped", "unknown-receiver")


def test_each_receiver_hears_once_by_the_first_route_that_names_them():
    found = document(
        {"event": "work-order.assigned", "to": ["technician", "role/dispatcher"]},
        {"event": "work-order.assigned", "to": ["owner", "technician", "role/dispatcher"], "through": ["mail"]},
    )
    planned = Story(direct_policy()).plan(found, "work-order.assigned")
    assert len({one.receiver for one in planned}) == len(planned) == 2
    assert {one.why.partition(":")[0] for one in planned} == {"route 1"}


def test_a_role_is_whoever_is_on_duty_for_it_and_else_its_own_hook():
    found = document(
        {"event": "escalation.raised", "to": ["recipients"]}, receivers={"role/shift_leader": {"on_duty": "member"}}
    )
    story = Story()
    story.day.advance(minutes=10)
    planned = story.plan(found, "escalation.raised")
    assert {one.receiver for one in planned} == {"technician/ann", "technician/bob"}
    nobody = document(
        {"event": "escalation.raised", "to": ["recipients"]},
        receivers={"role/shift_leader": {"on_duty": "leader", "hooks": ["robot"], "locale": "en"}},
    )
    (one,) = story.plan(nobody, "escalation.raised")
    assert (one.receiver, one.hooks, one.locale) == ("role/shift_leader", ("robot",), "en")


def test_teams_organisations_and_supervisors_are_found():
    found = document(
        {"event": "work-order.offered", "to": ["team", "organisation", "supervisor"]},
        defaults={"team": ["robot"], "org": ["mail"], "person": ["mail"]},
    )
    planned = Story(supervisor_id="boss").plan(found, "work-order.offered")
    assert {one.receiver for one in planned} >= {"org/estates", "person/boss"}
    assert any(one.receiver.startswith("team/") and one.receiver.endswith(".plumbing") for one in planned)


def test_an_offer_that_the_desk_has_taken_back_is_not_planned():
    story = Story()
    story.day.act("cancel", story.order, by="reporter", reason="mistake")
    (one,) = story.plan(document({"event": "work-order.offered", "to": ["technician"]}), "work-order.offered")
    assert (one.state, one.reason) == ("dropped", "superseded")


NIGHT = datetime.fromisoformat("2026-03-02T23:30:00+00:00")
QUIET = {"start": "22:00", "end": "07:00"}


@pytest.mark.parametrize(
    ("urgency", "quiet", "waits_s"),
    [("normal", "keep", 7.5 * 3600), ("normal", "break", 0), ("emergency", "keep", 0), ("urgent", "keep", 7.5 * 3600)],
)
def test_quiet_hours_are_kept_but_by_emergencies_and_what_breaks_them(urgency, quiet, waits_s):
    story = Story()
    zone = story.day.policy.site.timezone
    at = NIGHT.replace(tzinfo=ZoneInfo(zone))
    story.order = story.day.report("leak", trade="plumbing", urgency=urgency, room="9", reporter={"subject_id": "s1"})
    found = document({"event": "work-order.opened", "to": ["reporter"], "quiet": quiet}, quiet=QUIET)
    (one,) = story.plan(found, "work-order.opened", at=at)
    assert one.next_at == 1000.0 + waits_s
    (faster,) = story.plan(found, "work-order.opened", at=at, speed=60.0)
    assert faster.next_at == 1000.0 + waits_s / 60


@given(st.integers(0, 86399), st.integers(0, 86399), st.datetimes(timezones=st.just(ZoneInfo("Asia/Shanghai"))))
def test_quiet_ends_after_now_and_within_a_day(start, end, now):
    until = quiet_until(start, end, ZoneInfo("Asia/Shanghai"), now)
    if until is not None and 1990 < now.year < 9000:
        assert 0 < (until - now).total_seconds() <= 86400
        assert quiet_until(start, end, ZoneInfo("Asia/Shanghai"), until) is None


def test_a_line_of_which_nothing_is_known_is_left_out():
    words = Words(title="Job {display_no}", text="{words}\nuntil {until}\n{place} {room}\nbye")
    assert render(words, {"display_no": "N-1", "room": "7"}) == ("Job N-1", "- 7\nbye")


@pytest.mark.parametrize("text", ["{a.b}", "{a[0]}", "{a!r}", "{a:>10}", "{", "}", "{}", "{0}", "{a b}"])
def test_a_template_holds_plain_names_alone(text):
    with pytest.raises(ValueError):
        fields_of(Words(title="x", text=text))


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=20), max_size=5))
def test_what_people_write_is_never_read_as_a_template(values):
    title, _text = render(Words(title="{words}", text="{reason}"), {**values, "words": "{display_no} {0} {}"})
    assert title == "{display_no} {0} {}"


@pytest.mark.parametrize(
    ("text", "locale"), [("zh-CN", "zh"), ("zh_Hans", "zh"), ("en-GB", "en"), ("EN", "en"), ("de", None), (None, None)]
)
def test_languages_are_those_that_there_are_words_in(text, locale):
    assert locale_of(text) == locale


def test_every_template_of_the_shipped_config_says_something_in_both_languages():
    policy = load_config(CONFIG)
    hooks = load_hooks(CONFIG, policy)
    assert {route.event for route in hooks.routes} <= TOLD_TYPES
    assert {route.template for route in hooks.routes} == hooks.templates.keys()
    for name, template in hooks.templates.items():
        for locale in ("zh", "en"):
            words = getattr(template, locale)
            step = {"zh": "下一步", "en": "Next:"}[locale]
            assert step in words.text or name == "withdrawn", (name, locale)
            assert "{display_no}" in words.title


WRONG = {
    "an unknown event": (
        {"routes": [{"event": "work-order.offred", "to": ["technician"], "template": "plain"}]},
        "offred",
    ),
    "an unknown template": (
        {"routes": [{"event": "work-order.offered", "to": ["owner"], "template": "plian"}]},
        "plian",
    ),
    "an unknown hook of a route": (
        {"routes": [{"event": "work-order.offered", "to": ["owner"], "template": "plain", "through": ["ap"]}]},
        "'ap'",
    ),
    "an unknown hook of a default": ({"defaults": {"role": ["robbot"]}}, "robbot"),
    "an unknown hook of a receiver": ({"receivers": {"role/dispatcher": {"hooks": ["x"]}}}, "'x'"),
    "an unknown field": ({"templates": {"plain": {"zh": TEMPLATE, "en": {"title": "{nmae}", "text": ""}}}}, "nmae"),
    "an open brace": ({"templates": {"plain": {"zh": TEMPLATE, "en": {"title": "{name", "text": ""}}}}, "brace"),
    "an allowed address that is none": (
        {"hooks": {"app": {"kind": "webhook", "url": "https://x", "secrets": ["A"], "allow": ["10.0.0.300"]}}},
        "10.0.0.300",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_leads_nowhere_is_found(name):
    changes, told = WRONG[name]
    found = check_hooks(HooksDocument.model_validate({**DOCUMENT, **changes}), small_policy())
    assert any(told in finding.what for finding in found), found
