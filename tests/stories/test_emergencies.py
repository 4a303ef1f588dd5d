"""Emergencies: who hears at once, and what everybody is to do first."""

from pathlib import Path

import pytest

from dispatch.config import load_config, load_hooks
from dispatch.hooks.words import render, values_of
from dispatch.testing import Day
from tests.rules.small_policy import label, small_policy

CONFIG = Path(__file__).resolve().parents[2] / "config"
PLANS = [
    {
        "id": "gas",
        "version": "3",
        "hazards": ["gas"],
        "tell": ["gas_warden"],
        "advice": {"zh": "快离开", "en": "Leave"},
        "steps": [label("shut the valve"), label("measure")],
        "calls": [{"name": label("fire brigade"), "number": "119"}],
    },
    {"id": "any", "version": "1", "advice": {"zh": "先救人", "en": "People first"}},
]


def alarms(day):
    """What the shift leader hears of an emergency as such; that nobody is left to ask is another matter."""
    return [event.data for event in day.told(kind="escalation.raised") if event.data["cause"] == "emergency"]


def emergency(day, *hazards, **data):
    return day.report("!", trade="plumbing", urgency="emergency", hazards=list(hazards), **data)


def test_a_gas_smell_at_three_in_the_morning_reaches_the_shift_leader_at_once_with_the_plan():
    day = Day(small_policy(plans=PLANS), start="2026-03-02T03:00:00Z")
    emergency(day, "gas")
    (raised,) = alarms(day)
    assert raised["fired_at"] == "2026-03-02T03:00:00.000Z"
    assert [one["role"] for one in raised["recipients"]] == ["shift_leader", "gas_warden"]
    assert raised["plan"] == {
        "id": "gas",
        "version": "3",
        "advice": {"zh": "快离开", "en": "Leave"},
        "steps": [label("shut the valve"), label("measure")],
        "calls": [{"name": label("fire brigade"), "number": "119"}],
    }


@pytest.mark.parametrize(
    ("hazards", "plan"), [(["flood", "gas"], "gas"), (["flood"], "any"), ([], "any"), (["gas", "flood"], "gas")]
)
def test_the_first_plan_that_names_a_hazard_opens_and_else_the_one_for_all_others(hazards, plan):
    day = Day(small_policy(plans=PLANS))
    emergency(day, *hazards)
    (raised,) = alarms(day)
    assert raised["plan"]["id"] == plan


def test_without_a_plan_the_shift_leader_hears_all_the_same():
    for plans in ([], PLANS[:1]):
        day = Day(small_policy(plans=plans))
        emergency(day, "flood")
        (raised,) = alarms(day)
        assert [one["role"] for one in raised["recipients"]] == ["shift_leader"]
        assert "plan" not in raised


def test_a_drill_is_marked_and_runs_the_same_way():
    day = Day(small_policy(plans=PLANS))
    emergency(day, "gas", drill=True)
    (raised,) = alarms(day)
    assert (raised["drill"], raised["plan"]["id"]) == (True, "gas")


def test_a_report_that_a_person_finds_to_be_an_emergency_opens_the_plan_then():
    day = Day(small_policy(plans=PLANS))
    order = day.report("it smells", trade="plumbing")
    assert not alarms(day)
    day.act("reclassify", order, by="dora", role="dispatcher", urgency="emergency", hazards=["gas"])
    (raised,) = alarms(day)
    assert raised["plan"]["id"] == "gas"


@pytest.mark.parametrize(("locale", "first"), [("zh", "请立即离开"), ("en", "Leave now")])
def test_the_shipped_words_tell_the_reporter_what_to_do_and_the_leader_the_steps(locale, first):
    policy = load_config(CONFIG)
    hooks = load_hooks(CONFIG, policy)
    day = Day(small_policy(plans=[plan.model_dump(mode="json") for plan in policy.document.plans]))
    order = emergency(day, "gas")
    (data,) = alarms(day)
    values = values_of("escalation.raised", data, day.order(order), policy, locale)
    title, text = render(getattr(hooks.templates["advice"], locale), values)
    assert day.order(order).display_no in title
    assert text.startswith(first)
    assert "119" in text
    _title, told = render(getattr(hooks.templates["escalated"], locale), values)
    assert "1. " in told
    assert "119" in told
