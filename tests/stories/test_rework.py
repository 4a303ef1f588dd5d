"""Rework (返修): what was repaired breaks again, somebody reports it as if it were new, and the engine knows better."""

from datetime import timedelta

import msgspec
import pytest

from dispatch.agents.lanes import Held, load_territory, save_of
from dispatch.rules import recent
from dispatch.rules.batch import state_hash
from dispatch.rules.rework import alike_permille
from dispatch.rules.state import Done, text_of
from dispatch.stores.base import Loaded, TerritoryKey
from dispatch.testing import Day
from tests.rules.small_policy import small_policy

DIRECT = {"modes": [{"mode": "direct"}]}
LEXICON = {
    "trades": {
        "plumbing": {"zh": ["水龙头", "龙头", "马桶", "下水道"], "en": ["tap", "toilet", "drain"]},
        "electrical": {"zh": ["灯", "插座"], "en": ["lamp", "socket"]},
    },
    "symptoms": {"plumbing": {"zh": ["漏水", "滴水", "堵"], "en": ["leak", "drip", "blocked"]}},
}
SAYINGS = {"zh": ("402水龙头漏水", "水池的龙头又滴水了"), "en": ("the tap leaks", "kitchen tap is leaking again")}


def policy(**rework):
    return small_policy(matching=DIRECT, lexicon=LEXICON, rework=rework)


def a_day(**rework):
    day = Day(policy(**rework))
    day.technician("ann", skills={"plumbing": 3, "electrical": 3}, certificates=("licence",), hours=2000)
    return day


def repaired(day, text, *, room="402", trade="plumbing", confirm=True, disposition="fixed", **data):
    """Reported, done two hours later, and accepted."""
    order = day.report(text, trade=trade, room=room, by="s1", **data)
    day.advance(hours=2)
    day.act("complete", order, by="ann", disposition=disposition)
    if confirm:
        day.act("confirm", order, by="s1")
        assert day.order(order).state == "closed"
    return order


def opening(day, order):
    return day.told(order, "work-order.opened")[0].data


@pytest.fixture
def day():
    return a_day()


@pytest.mark.parametrize("language", SAYINGS)
def test_the_same_tap_after_six_days_is_rework(day, language):
    first, again = SAYINGS[language]
    old = repaired(day, first)
    done_at = day.now
    day.advance(days=6)
    new = day.report(again, trade="plumbing", room="402", by="s2")
    said = opening(day, new)
    assert said["links"] == [{"type": "rework_of", "id": old}]
    rework = said["rework"]
    assert {name: rework[name] for name in ("of_id", "basis", "window_days", "days", "technician_ids", "same")} == {
        "of_id": old,
        "basis": "machine",
        "window_days": 30,
        "days": 6,
        "technician_ids": ["ann"],
        "same": "room",
    }
    assert rework["completed_at"] == rework["closed_at"] == text_of(done_at)
    assert rework["why"]["zh"].startswith("返修：同一房间")
    assert "repaired 6 days ago" in rework["why"]["en"]
    assert day.order(new).state == "assigned"


def test_the_completion_of_rework_says_of_which_order(day):
    old = repaired(day, "tap leaks")
    day.advance(days=1)
    new = repaired(day, "tap leaks")
    assert day.told(new, "work-order.completed")[0].data["rework"]["of_id"] == old
    assert "rework" not in day.told(old, "work-order.completed")[0].data
    day.advance(hours=1)
    third = day.report("tap leaks", trade="plumbing", room="402")
    assert opening(day, third)["rework"]["of_id"] == new


def test_the_window_counts_from_the_work_and_not_from_its_acceptance(day):
    repaired(day, "tap leaks", confirm=False)
    done_at = day.now
    day.advance(days=2)
    day.advance_to(done_at + timedelta(days=30))
    last = day.report("tap leaks", trade="plumbing", room="402")
    assert opening(day, last)["rework"]["days"] == 30
    day.act("cancel", last, by="reporter", reason="works")
    day.advance(seconds=1)
    assert "rework" not in opening(day, day.report("tap leaks", trade="plumbing", room="402"))


@pytest.mark.parametrize(
    "other",
    [
        {"room": "403"},
        {"room": None},
        {"building": "b2"},
        {"trade": "electrical"},
        {"drill": True},
        {"kind": "complaint"},
        {"trade": None},
        {"text": "toilet blocked"},
        {"text": "马桶堵了"},
        {"text": ""},
    ],
)
def test_what_differs_in_place_trade_kind_or_words_is_a_new_fault(day, other):
    repaired(day, "tap leaks")
    day.advance(days=6)
    said = {"text": "tap leaks", "trade": "plumbing", "room": "402", **other}
    assert "rework" not in opening(day, day.report(said.pop("text"), **said))


@pytest.mark.parametrize("text", ["the tap leaks", "toilet blocked", ""])
def test_the_same_asset_is_the_same_thing_in_whatever_words(day, text):
    def place(asset):
        return {"territory": "north", "area_id": "north.b1", "room": "1", "asset_id": asset, "building": "b1"}

    old = repaired(day, "the tap leaks", location=place("TAP-1"))
    day.advance(days=3)
    other = day.report("the tap leaks", trade="plumbing", location=place("TAP-2"))
    same = day.report(text, trade="plumbing", location=place("TAP-1") | {"room": None})
    assert "rework" not in opening(day, other)
    assert opening(day, same)["rework"]["of_id"] == old
    assert opening(day, same)["rework"]["same"] == "asset"


def test_a_report_of_the_room_finds_what_was_done_to_an_asset_in_it(day):
    place = {"territory": "north", "area_id": "north.b1", "room": "402", "asset_id": "TAP-1", "building": "b1"}
    old = repaired(day, "the tap leaks", location=place)
    day.advance(days=3)
    assert opening(day, day.report("tap leaks", trade="plumbing", room="402"))["rework"]["of_id"] == old


def test_a_duplicate_of_an_open_order_is_a_duplicate(day):
    repaired(day, "tap leaks")
    day.advance(days=1)
    again = day.report("tap leaks", trade="plumbing", room="402")
    third = day.report("tap leaks", trade="plumbing", room="402", by="s3")
    assert day.order(third).merged_into == again
    assert "rework" not in opening(day, third)
    assert "rework" in opening(day, again)


def test_a_reopened_order_is_itself_and_nobodys_rework(day):
    old = repaired(day, "tap leaks")
    day.advance(days=1)
    day.act("reopen", old, by="s1", reason="leaks again")
    assert day.order(old).rework == {"of_id": old, "basis": "reporter"}
    assert not day.territory().recent.kept
    day.advance(hours=5)
    new = day.report("tap leaks", trade="plumbing", room="402", by="s2")
    assert "rework" not in opening(day, new)
    day.act("complete", old, by="ann")
    day.act("confirm", old, by="s1")
    assert [one.order_id for one in day.territory().recent.kept.values()] == [old]


def test_work_that_waits_to_be_accepted_was_done_too(day):
    old = repaired(day, "tap leaks", confirm=False)
    day.advance(hours=30)
    new = day.report("tap leaks", trade="plumbing", room="402", by="s2")
    rework = opening(day, new)["rework"]
    assert (rework["of_id"], rework["days"]) == (old, 1)
    assert "closed_at" not in rework


def test_who_noticed_it_before_the_repair_tells_of_the_old_fault(day):
    repaired(day, "tap leaks")
    noticed = text_of(day.now - timedelta(hours=1))
    day.advance(hours=1)
    assert "rework" not in opening(day, day.report("tap leaks", trade="plumbing", room="402", noticed_at=noticed))


@pytest.mark.parametrize("disposition", ["no_access", "not_repairable", "made_safe", "customer_cancelled"])
def test_what_was_never_repaired_cannot_be_repaired_again(day, disposition):
    repaired(day, "tap leaks", disposition=disposition)
    assert not day.territory().recent.kept
    assert "rework" not in opening(day, day.report("tap leaks", trade="plumbing", room="402"))


@pytest.mark.parametrize("rule", [{"enabled": False}, {"by_trade": {"plumbing": "0s"}}, {"window": "5d"}])
def test_the_policy_says_for_how_long_and_whether_at_all(rule):
    day = a_day(**rule)
    repaired(day, "tap leaks")
    day.advance(days=6)
    assert "rework" not in opening(day, day.report("tap leaks", trade="plumbing", room="402"))


def test_the_front_desk_finds_the_trade_and_with_it_the_rework(day):
    old = repaired(day, "tap leaks")
    day.advance(days=2)
    new = day.report("tap leaks", room="402")
    assert "rework" not in opening(day, new)
    day.act("reclassify", new, by="desk", role="dispatcher", trade="plumbing")
    assert day.order(new).rework["of_id"] == old
    assert {"type": "rework_of", "id": old} in day.order(new).links


def test_what_was_done_long_ago_is_forgotten(day):
    repaired(day, "tap leaks", room="1")
    day.advance(days=20)
    repaired(day, "tap leaks", room="2")
    assert sorted(day.territory().recent.kept) == ["b1/1|plumbing", "b1/2|plumbing"]
    day.advance(days=11)
    day.report("lamp", trade="electrical", room="3")
    assert sorted(day.territory().recent.kept) == ["b1/2|plumbing"]


def test_only_so_much_is_remembered_and_what_ends_first_goes_first(day, monkeypatch):
    monkeypatch.setattr(recent, "MOST_NOTES", 3)
    for room in "12345":
        repaired(day, "tap leaks", room=room)
    assert sorted(day.territory().recent.kept) == ["b1/3|plumbing", "b1/4|plumbing", "b1/5|plumbing"]


def test_notes_of_work_survive_the_store(day):
    repaired(day, "tap leaks", room="1")
    repaired(day, "tap leaks", room="2")
    territory = day.territory()
    territory.recent.changed.update(territory.recent.kept)
    territory.changed_technicians.update(territory.technicians)
    save = save_of(Held(key=TerritoryKey("acme", "north"), territory=territory), None, 1)
    loaded = Loaded(meta=save.meta, orders={}, technicians=dict(save.technicians), outbox=(), recent=dict(save.recent))
    again = load_territory(TerritoryKey("acme", "north"), loaded, "").territory
    assert again.recent.kept == territory.recent.kept
    assert state_hash(again, {}) == state_hash(territory, {})
    assert not again.recent.changed
    for one in (again, territory):
        one.recent.forget_old(day.now + timedelta(days=31))
        assert not one.recent.kept
        assert one.recent.changed == {"b1/1|plumbing", "b1/2|plumbing"}


def test_the_notes_are_part_of_the_state_that_a_replay_must_come_to(day):
    repaired(day, "tap leaks")
    before = state_hash(day.territory(), {})
    day.territory().put_recent("b1/402|plumbing", None)
    assert state_hash(day.territory(), {}) != before


def test_a_note_says_nothing_that_is_empty():
    done = Done(order_id="wo1", completed_at="2026-03-02T08:00:00Z")
    assert set(msgspec.to_builtins(done)) == {"order_id", "completed_at"}


ALIKE = [
    ("水龙头漏水", "水池的龙头又滴水了"),
    ("402水龙头关不紧，一直滴水", "龙头还是滴"),
    ("卫生间马桶堵了", "马桶又堵了，水下不去"),
    ("宿舍灯不亮", "房间的灯又不亮了"),
    ("the tap leaks", "bathroom tap dripping again"),
    ("toilet is blocked", "the toilet blocked up again today"),
    ("ceiling lamp flickers", "lamp in the ceiling still flickers"),
]
OTHER = [
    ("水龙头漏水", "马桶堵了"),
    ("水龙头漏水", "下水道堵了，水漫出来"),
    ("灯不亮", "插座没电"),
    ("the tap leaks", "toilet is blocked"),
    ("the drain smells", "tap handle came off"),
    ("lamp flickers", "socket is loose"),
    ("水龙头漏水", "the tap leaks"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_the_same_fault_in_other_words_is_alike(one, other):
    rule = policy()
    assert alike_permille(rule, one, other) >= rule.document.rework.alike_permille


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_fault_of_the_room_is_not_alike(one, other):
    rule = policy()
    assert alike_permille(rule, one, other) < rule.document.rework.alike_permille
    assert alike_permille(rule, one, other) == alike_permille(rule, other, one)
