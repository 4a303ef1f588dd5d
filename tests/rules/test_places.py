"""Where a text says that the trouble is: by the corpus, by example, and by whatever else may come in."""

import random
import time

import pytest

from benchmarks.places import IN_PLACE, UNPLACED, figures, judge, sites
from corpus.placing import placed
from dispatch.rules.location import locate
from dispatch.rules.territory import place_key

SITES = sites()
TEXTS = list(placed())
PIECES = (
    *(
        "3栋",
        "402",
        "三号楼",
        "12-",
        "#",
        "楼",
        "层",
        "室",
        "rm ",
        "room ",
        "floor ",
        "Dorm ",
        "N. Hall ",
        "座",
        "-",
        "/",
    ),
    *(
        "和",
        "不是",
        "我在",
        "旁边",
        "图书馆",
        "Building A ",
        "号",
        "第",
        "北门",
        "\ud800",
        "\x00",
        "１",
        "幺",
        "Ⅲ",
        "㊣",
        "🏠",
    ),
    *(
        "LIFT-N1-",
        "东校区",
        "单元",
        "地下",
        "一二三",
        "2024",
        "（",
        "ß",
        "İ",
        "\u202e",
        "z" * 50,
        "9" * 60,
        " " * 40,
        ".",
    ),
)


def said(text, site="demo", **location):
    return locate(SITES[site], location, text)


@pytest.mark.parametrize(("split", "right", "wrong"), [("test", 0.95, 0.01), ("open", 0.98, 0.005)])
def test_the_corpus_is_read_right(split, right, wrong):
    found = figures(judge(SITES, [each for each in TEXTS if each.split == split]))
    assert found["right"] >= right, found
    assert found["wrong"] <= wrong, found


def test_there_is_enough_of_the_corpus():
    assert len(TEXTS) >= 600
    assert sum(each.area is None for each in TEXTS) >= 150
    styles = {split: {each.style for each in TEXTS if each.split == split} for split in ("open", "test")}
    assert styles["open"] & styles["test"] <= {"forms"}


def test_what_the_form_says_wins_and_the_difference_is_noted():
    at = said("4栋502漏水", building="3栋")
    assert (at.building, at.room) == ("north.n3", None)
    assert at.notes == ("text-names-other-place: north.n4",)
    at = said("3栋502，在5楼", building="3栋", room="402室", floor="4")
    assert (at.building, at.room, at.floor) == ("north.n3", "402室", "4")
    assert at.notes == ("text-names-other-room: 502", "text-names-other-floor: 5")
    assert said("3栋402，在4楼", building="3栋", room="402室", floor="4F").notes == ()


def test_a_form_that_names_only_the_campus_is_made_deeper_by_the_text():
    at = said("3栋402漏水", area_id="north")
    assert (at.source, at.area_id, at.room) == ("area", "north.n3", "402")


def test_what_is_not_possible_in_the_form_leaves_it_to_the_text():
    at = said("4栋502漏水", building="99号楼 13912345678")
    assert (at.source, at.building, at.room) == ("text", "north.n4", "502")
    assert at.notes == ("unknown-building: '99号楼 …'",)


def test_the_field_of_the_building_may_say_more():
    at = said("", building="3号楼402室")
    assert (at.source, at.building, at.room) == ("building", "north.n3", "402")
    assert said("", building="3").building == "north.n3"


def test_a_building_number_of_two_campuses_needs_the_campus():
    at = said("灯坏了", "river", building="3号楼")
    assert (at.building, at.is_default) == (None, True)
    assert at.notes == ("ambiguous-place: '3号楼'",)
    assert said("江北的，灯坏了", "river", building="3号楼").building == "jb.b3"
    assert said("灯坏了", "river", building="3号楼", territory="jb").building == "jb.b3"
    assert said("3号楼的灯坏了", "river").notes == ("ambiguous-place: 3号楼",)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("13号楼漏水", "unknown-building: 13号楼"),
        ("南校区3号楼没水", "not-in-that-campus: 3号楼"),
        ("东校区停水", "unknown-campus"),
        ("3栋和4栋都停水", "several-places: 3栋, 4栋"),
        ("图书馆的LIFT-N6-1停了", "asset-elsewhere: LIFT-N6-1"),
    ],
)
def test_what_is_not_clear_is_noted(text, note):
    assert said(text).notes == (note,)


def test_a_note_of_the_place_and_the_text_add_up():
    at = said("三栋的水管爆了", note="402室")
    assert (at.building, at.room) == ("north.n3", "402")
    at = said("3栋402", note="4栋")
    assert (at.building, at.room) == ("north.n4", None)


def test_a_room_is_found_where_the_policy_has_it():
    at = said("机电楼215温度过高", "river")
    assert (at.area_id, at.floor, at.room) == ("jn.mech.2.server", "2", "Server Room")


def test_a_room_without_its_building_is_no_place_of_duplicates():
    one = {"area_id": "north", "area_path": ("north",), "building": None, "room": said("402寝室停电").room}
    assert one["room"] == "402"
    assert place_key(one) is None
    assert place_key(one | {"building": "north.n3"}) == "north.n3/402"


@pytest.mark.parametrize("room", ["x[contact]", "402 [Contact]", "[name]的房间"])
def test_a_room_that_was_masked_is_no_place_of_duplicates(room):
    assert place_key({"building": "north.n3", "room": room}) is None
    assert place_key({"building": "north.n3", "room": room, "asset_id": "AC-7"}) == "asset/AC-7"


def test_no_text_fails():
    chance = random.Random(7)
    for _ in range(10_000):
        text = "".join(chance.choice(PIECES) for _ in range(chance.randint(0, 12)))
        if chance.random() < 0.2:
            text += "".join(chr(chance.randint(1, 0x2FFFF)) for _ in range(5))
        at = said(text, chance.choice(("demo", "river")))
        assert at.building is None or at.building in at.area_path


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_is_slow(piece):
    start_s = time.thread_time()
    said((piece * 4_000)[:4_000])
    assert time.thread_time() - start_s < 2.0


def best_us(text):
    times = []
    for _ in range(40):
        start_ns = time.thread_time_ns()
        for _ in range(50):
            locate(SITES["demo"], None, text)
        times.append((time.thread_time_ns() - start_ns) / 50e3)
    return min(times)


def test_a_usual_text_costs_little():
    assert max(map(best_us, UNPLACED)) < 75  # microseconds: three times what is promised, for busy machines
    assert max(map(best_us, IN_PLACE)) < 120
