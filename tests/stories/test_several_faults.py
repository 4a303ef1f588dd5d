"""One report tells of several faults: intake makes an order of each, and its reporter made one request."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.structs import ConsumerRecord

from dispatch.agents import splitting
from dispatch.agents.inputs import Reader
from dispatch.agents.splitting import split_up
from dispatch.config import load_config
from dispatch.models.policy import PolicyDocument
from dispatch.rules.policy import compile_policy
from dispatch.rules.state import moment_of
from dispatch.rules.triage import hear
from dispatch.testing import START, Day
from dispatch.topics import REQUESTS

POLICY = load_config(Path(__file__).parents[2] / "config")
TWO = "3号楼402卫生间水龙头漏水，另外403的灯也不亮"


def record(data, request_id="r1", offset=0):
    data = {"channel": "app", "reporter": {"id": "li"}, "reported_at": START, **data}
    kind = "dispatch.request.submitted.v1"
    envelope = {"specversion": "1.0", "id": request_id, "source": "/app", "type": kind, "data": data}
    value = json.dumps(envelope).encode()
    headers = [("content-type", b"application/cloudevents+json")]
    return ConsumerRecord(REQUESTS, 0, offset, 0, 0, None, value, None, 0, len(value), headers)


def taken_in(*requests, policy=POLICY):
    """What intake makes of requests that come in one batch: drafts of openings."""
    reader = Reader(policy.tenant, SimpleNamespace(latest=policy), 60)
    drafts = [one for number, said in enumerate(requests) for one in reader.read(_record(number, said), NOW)]
    for draft, heard in zip(drafts, hear([draft.report.text for draft in drafts]), strict=True):
        draft.classified(heard)
    return split_up(drafts, policy.tenant)


def _record(number, said):
    return record(said, f"r{number}", number)


NOW = moment_of(START)


def trades(drafts):
    return [draft.data["requirements"][0].trade for draft in drafts]


def test_a_tap_and_a_lamp_are_two_orders_of_one_request_each_for_its_own_craftsman():
    day = Day(POLICY, territories=["north"])
    day.technician("ann", skills={"plumbing": 3}, hours=500)
    day.technician("bob", skills={"electrical": 3}, certificates=("electrician_licence",), hours=500)
    drafts = taken_in({"text": TWO})
    for draft in [*drafts, *taken_in({"text": TWO})]:
        draft.data["reporter"] = {"subject_id": "s1"}
        day.say("open", draft.data, order_id=draft.order_id, command_id=f"c-{draft.order_id}")
    tap, lamp = (day.order(draft.order_id) for draft in drafts)
    assert tap.request_id == lamp.request_id == "r0"
    assert len(day.told(kind="work-order.opened")) == 2, "sent again it opens nothing again"
    assert (tap.location["room"], lamp.location["room"]) == ("402", "403")
    assert tap.location["building"] == lamp.location["building"] == "north.n3"
    assert (tap.trade, tap.active_legs()[0].technician_id) == ("plumbing", "ann")
    assert (lamp.trade, lamp.active_legs()[0].technician_id) == ("electrical", "bob")
    first, second = (day.told(one.id, "work-order.opened")[0].data for one in (tap, lamp))
    assert (first["text"], second["text"]) == ("3号楼402卫生间水龙头漏水", "403的灯也不亮")
    assert first["classifier"]["evidence"][-1] == "fault 1 of 2"
    assert second["classifier"]["evidence"][-1] == "fault 2 of 2, after '另外'"
    assert first["display_no"] != second["display_no"]


@pytest.mark.parametrize("text", ["卫生间水龙头漏水，另外插座冒烟了！", "插座冒烟了！另外卫生间水龙头也漏水"])
def test_an_emergency_keeps_its_id_and_all_that_was_said(text):
    emergency, tap = taken_in({"text": text, "location": {"building": "3号楼", "room": "402"}})
    [alone] = taken_in({"text": text}, policy=never())
    assert emergency.order_id == alone.order_id
    assert (emergency.data["urgency"], emergency.proposed) == ("emergency", "north|u")
    assert emergency.data["text"] == text
    assert emergency.data["hazards"] == alone.data["hazards"]
    assert (tap.data["urgency"], tap.proposed) == ("normal", "north|n")
    assert "hazards" not in tap.data
    assert tap.data["location"]["room"] == "402"


def never():
    document = POLICY.document.model_dump(mode="json")
    return compile_policy(PolicyDocument.model_validate(document | {"faults": {"split": False}}))


def test_what_the_policy_or_the_channel_keeps_together_stays_together():
    assert len(taken_in({"text": TWO}, policy=never())) == 1
    for said in (
        {"hazards": ["fire"]},
        {"urgency_hint": "emergency"},
        {"kind": "inspection_finding"},
        {"origin": "preventive"},
    ):
        assert len(taken_in({"text": TWO, **said})) == 1, said
    itemised = taken_in({"text": "two things", "items": [{"text": TWO}, {"text": "门锁坏了"}]})
    assert len(itemised) == 2


def test_what_the_form_says_of_the_trade_holds_for_the_part_that_it_fits():
    drafts = taken_in({"text": "龙头滴水，另外床头灯也不亮了", "trade_hint": "plumbing", "category": "plumbing"})
    assert trades(drafts) == ["plumbing", "electrical"]
    assert [draft.data["classifier"]["source"] for draft in drafts] == ["lexicon", "lexicon"]


def test_the_asset_that_was_scanned_is_of_the_first_fault_only():
    where = {"building": "3号楼", "room": "402", "asset_id": "AC-3-402"}
    air, lamp = taken_in({"text": "空调不凉，另外灯也不亮", "location": where})
    assert air.data["location"]["asset_id"] == "AC-3-402"
    assert "asset_id" not in lamp.data["location"]
    assert lamp.data["location"]["room"] == "402"


def test_each_of_a_batch_is_split_by_itself_and_all_in_order():
    drafts = taken_in({"text": "灯不亮"}, {"text": TWO}, {"text": "马桶堵了"}, {"text": "空调不凉，网也连不上"})
    assert [draft.incoming.id for draft in drafts] == ["r0", "r1", "r1", "r2", "r3", "r3"]
    assert trades(drafts) == ["electrical", "plumbing", "electrical", "plumbing", "hvac", "network"]
    assert len({draft.order_id for draft in drafts}) == 6
    assert all(draft.route_of == draft.order_id for draft in drafts)


def test_a_failure_while_splitting_opens_the_report_as_it_is(monkeypatch):
    def fails(_asked):
        raise ZeroDivisionError

    monkeypatch.setattr(splitting, "told_apart", fails)
    [whole] = taken_in({"text": TWO})
    assert whole.data["text"] == TWO
