"""The corpus is a day that can be published: valid, told apart, and consistent with itself."""

import json
from datetime import timedelta

import pytest

from dispatch.demo.day import BEGIN, END, chance, read_day
from dispatch.demo.play import stories_of
from dispatch.demo.stage import event_bytes
from dispatch.models import RequestSubmitted, parse
from dispatch.models.policy_base import URGENCIES
from dispatch.rules.location import locate

TAGS = {
    *("emergency", "duplicate_of", "burst", "resend", "reject", "reopen", "cancel", "urge", "silent", "decline"),
    *("offline", "no_access", "hold", "unclear"),
}


@pytest.fixture(scope="module")
def day():
    return read_day()


def test_a_day_has_its_requests_in_order_from_six_to_six(day):
    assert len(day) == 312
    assert [report.at for report in day] == sorted(report.at for report in day)
    assert day[0].at >= BEGIN
    assert day[-1].at < END
    assert timedelta(days=1) == END - BEGIN


def test_no_id_is_given_twice_and_every_request_has_an_order_of_its_own(day):
    assert len({report.request_id for report in day}) == len(day)
    assert len(stories_of("campus", day)) == len(day)


def test_a_duplicate_repeats_an_earlier_request_that_is_none_itself(day):
    seen = {}
    for report in day:
        if report.duplicate_of is not None:
            original = seen[report.duplicate_of]
            assert original.duplicate_of is None, report.request_id
            assert original.expect["trade"] == report.expect["trade"], report.request_id
        seen[report.request_id] = report


def test_only_known_tags_are_used(day):
    assert {tag for report in day for tag in report.tags} == TAGS


def test_every_request_is_published_as_the_contract_says(day):
    for report in day:
        event = event_bytes("request.submitted", report.request_id, report.source, report.at, report.data)
        incoming = parse([("content-type", b"application/cloudevents+json")], None, event)
        request = RequestSubmitted.model_validate_json(incoming.data)
        assert incoming.time == report.at
        assert request.text == report.data["text"]
        unknown = json.loads(incoming.data).keys() - RequestSubmitted.model_fields.keys()
        assert not unknown, report.request_id


def test_every_place_and_every_expected_trade_is_known_to_the_policy(day, policy):
    for report in day:
        assert locate(policy, report.data["location"], report.data["text"]).territory in policy.territories
        assert report.expect["trade"] in {*policy.trades, ""}
        level = URGENCIES.index(report.expect["urgency"])
        if "urgency_also" in report.expect:
            assert abs(URGENCIES.index(report.expect["urgency_also"]) - level) == 1, report.request_id


def test_chance_is_the_same_in_every_run_and_differs_by_what_it_is_for():
    assert chance("D-0001", "answer").random() == chance("D-0001", "answer").random()
    assert chance("D-0001", "answer").random() != chance("D-0001", "work").random()
