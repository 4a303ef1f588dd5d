"""Where a report is from, by all that a channel may say about it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.config import load_config
from dispatch.errors import Rejected
from dispatch.rules.geometry import contains, distance_m, wgs84_of_gcj02
from dispatch.rules.location import locate
from dispatch.rules.names import plain_name

POLICY = load_config(Path(__file__).parents[2] / "config")


def place(text="", **location):
    return locate(POLICY, location, text)


def found(text="", **location):
    at = place(text, **location)
    return at.source, at.area_id


def test_an_area_id_says_everything():
    at = place(area_id="north.n3", room="302", floor="3")
    assert (at.source, at.territory, at.building) == ("area", "north", "north.n3")
    assert at.area_path == ("north", "north.zone-b", "north.n3")
    assert (at.floor, at.room, at.lat, at.lon) == ("3", "302", 31.0280, 121.4416)


def test_an_asset_stands_in_its_area_by_code_or_prefix():
    assert found(asset_id="LIFT-N7-1") == ("asset", "north.n7")
    at = place(asset_id="lift-n2-9")
    assert (at.source, at.area_id, at.asset_id) == ("asset", "north.n2", "lift-n2-9")


@pytest.mark.parametrize(
    ("said", "area"),
    [
        ("3号宿舍楼", "north.n3"),
        ("三号楼", "north.n3"),
        ("3 栋", "north.n3"),
        ("３号楼", "north.n3"),
        ("Dormitory 3", "north.n3"),
        ("dorm-3", "north.n3"),
        ("DORM  3", "north.n3"),
        ("十一栋", "south.s2"),
        ("11栋", "south.s2"),
        ("一教", "north.n1"),
        ("第1教学楼", "north.n1"),
        ("二食堂", "south.s4"),
        ("a座", "south.s1"),
        ("北校区图书馆", "north.n2"),
        ("Library, ground floor", "north.n2"),
    ],
)
def test_a_building_is_known_by_each_of_its_names(said, area):
    assert found(building=said) == ("building", area)


def test_a_number_is_never_part_of_a_longer_one():
    assert found("13号楼漏水") == ("default", "north")
    assert found("Dorm 31 has no water") == ("default", "north")
    assert found("Can12 is not S1 2") == ("text", "south.s1")


def test_coordinates_mean_the_building_near_them():
    assert found(lat=31.0281, lon=121.4417) == ("coordinates", "north.n3")


def test_coordinates_far_from_buildings_mean_the_territory():
    at = place(lat=31.0210, lon=121.4260)
    assert (at.source, at.territory, at.building) == ("coordinates", "north", None)
    assert (at.lat, at.lon) == (31.0210, 121.4260)


def test_coordinates_on_the_ground_leave_the_text_to_name_the_building():
    assert found("体育馆门口的灯", lat=31.0210, lon=121.4260) == ("text", "north.n8")


def test_coordinates_outside_every_territory_are_noted():
    at = place(lat=0.0, lon=0.0)
    assert at.is_default
    assert at.notes == ("coordinates-outside",)


def test_chinese_map_coordinates_are_taken_back_to_wgs84():
    tiananmen_gcj = (39.908722, 116.397496)
    lat, lon = wgs84_of_gcj02(*tiananmen_gcj)
    assert distance_m((lat, lon), (39.907320, 116.391254)) < 5
    assert wgs84_of_gcj02(48.2, 16.4) == (48.2, 16.4)


def test_a_point_in_gcj02_finds_the_building_that_its_raw_numbers_would_miss():
    lat, lon = 31.0280 - 0.0019, 121.4416 + 0.0044
    assert found(lat=lat, lon=lon, coordinate_system="GCJ-02") == ("coordinates", "north.n3")
    assert found(lat=lat, lon=lon)[1] != "north.n3"


def test_the_text_names_the_building_and_the_room():
    at = place("麻烦看下，三号楼502室水管爆了")
    assert (at.source, at.area_id, at.room) == ("text", "north.n3", "502")
    at = place("I'm locked out of Dormitory 3 room 407, key snapped")
    assert (at.area_id, at.room) == ("north.n3", "407")
    at = place("12栋517阳台灯不亮")
    assert (at.area_id, at.room) == ("south.s3", "517")
    at = place("图书馆3楼插座没电")
    assert (at.area_id, at.floor, at.room) == ("north.n2", "3", None)


def test_a_building_in_the_text_wins_over_a_campus_in_the_text():
    assert found("北校区的体育馆漏雨") == ("text", "north.n8")
    assert found("南校区路灯不亮") == ("text", "south")


def test_a_named_territory_keeps_the_search_inside_it():
    assert found("图书馆漏水", territory="south") == ("territory", "south")
    assert found(building="图书馆", territory="south") == ("territory", "south")


def test_a_territory_may_be_named_by_its_name():
    assert place(territory="南校区").territory == "south"


def test_an_unknown_territory_is_refused_by_name():
    with pytest.raises(Rejected, match="no territory 'east'") as refusal:
        place(territory="east", area_id="north.n3")
    assert refusal.value.code == "unknown-territory"


def test_nothing_said_means_the_default_and_is_marked():
    at = place("灯坏了")
    assert (at.source, at.territory, at.area_id, at.is_default) == ("default", "north", "north", True)


def test_what_is_wrong_is_noted_and_the_next_best_is_used():
    at = place("", area_id="north.n33", asset_id="X-1", building="三号楼")
    assert (at.source, at.area_id, at.asset_id) == ("building", "north.n3", "X-1")
    assert at.notes == ("unknown-area: 'north.n33'", "unknown-asset: 'X-1'")


def test_an_area_elsewhere_than_the_named_territory_wins_and_is_noted():
    at = place(territory="north", area_id="south.s1")
    assert at.territory == "south"
    assert at.notes == ("not-in-the-territory: south.s1 is not in north",)


@pytest.mark.parametrize("bad", [{"lat": "x", "lon": 1}, {"lat": float("nan"), "lon": 1.0}, {"lat": 91, "lon": 1}])
def test_coordinates_that_are_none_are_noted(bad):
    assert place(**bad).notes == ("coordinates-out-of-range",)


def test_no_location_at_all_is_a_location():
    assert locate(POLICY, None, "").is_default


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_text_breaks_the_search(text, building):
    assert place(text, building=building).territory in POLICY.territories


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("一百零二室", "102室"),
        ("二十三栋", "23栋"),
        ("五一二", "512"),
        ("十号楼", "10号楼"),
        ("Dorm - 3", "dorm3"),
        ("Main  Library", "main library"),
        ("Ａ座 教学楼", "a座教学楼"),
    ],
)
def test_names_are_compared_in_a_plain_form(said, plain):
    assert plain_name(said) == plain


def test_a_point_is_inside_a_polygon_or_not():
    square = ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0))
    assert contains(square, (0.5, 0.5))
    assert not contains(square, (1.5, 0.5))
    assert not contains(square, (0.5, -0.5))
