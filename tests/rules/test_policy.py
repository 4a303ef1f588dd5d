"""The policy that ships, compiled, and what its checks find in copies with one thing changed."""

import json
from pathlib import Path

import pytest

from dispatch.config import load_config
from dispatch.models.policy import PolicyDocument
from dispatch.rules.policy import canonical_json, compile_policy, lane_key, load_policy_json
from dispatch.rules.policy_checks import check

POLICY = load_config(Path(__file__).parents[2] / "config")
N3 = ("north", "north.zone-b", "north.n3")
CLINIC = ("south", "south.zone-a", "south.s6")


def changed(**parts):
    """The shipped document with some parts replaced; a function gets the part's JSON and changes it in place."""
    content = json.loads(canonical_json(POLICY.document.to_json()))
    for name, change in parts.items():
        change(content[name])
    return PolicyDocument.model_validate(content)


def findings(**parts):
    return [(each.path, each.what, each.expected) for each in check(changed(**parts))]


def test_the_policy_that_ships_has_no_findings():
    assert check(POLICY.document) == []


def test_the_version_is_the_hash_of_the_content():
    assert len(POLICY.version) == 16
    assert compile_policy(POLICY.document).version == POLICY.version
    assert compile_policy(changed(site=lambda site: site.update(reopen_within=1))).version != POLICY.version


def test_a_policy_read_back_from_its_topic_is_the_same():
    again = load_policy_json(canonical_json(POLICY.document.to_json()))
    assert again.version == POLICY.version
    assert again.document == POLICY.document


def test_a_policy_written_by_an_older_engine_keeps_its_version():
    content = POLICY.document.to_json()
    del content["site"]["kinds"]
    old = load_policy_json(canonical_json(content))
    assert old.version != POLICY.version
    assert load_policy_json(canonical_json(content)).version == old.version
    assert compile_policy(old.document).version == POLICY.version


def test_an_area_knows_its_path_and_inherits_its_person_and_place():
    node = POLICY.areas["north.n3"]
    assert node.path == N3
    assert node.territory == "north"
    assert node.name.en == "Dormitory 3"
    assert node.responsible is not None
    assert node.responsible.id == "zone-manager-north-b"
    assert POLICY.areas["south.s6"].responsible.id == "clinic-manager"


def test_the_first_row_that_fits_decides():
    assert POLICY.sla("emergency", "gas", "north", N3, "repair").id == "emergency"
    assert POLICY.sla("normal", "plumbing", "north", N3, "repair").id == "normal"
    assert POLICY.sla("normal", "plumbing", "south", CLINIC, "repair").id == "clinic-normal"
    assert POLICY.sla("normal", None, "north", N3, "complaint").id == "letters"
    assert POLICY.sla("low", None, "north", (), "repair").id == "low"


def test_a_row_that_names_trades_is_not_for_an_order_without_one():
    only_gas = {"id": "gas", "when": {"trade": ["gas"]}}
    policy = compile_policy(changed(sla=lambda rows: rows.insert(0, {**rows[0], **only_gas})))
    assert policy.sla("normal", "gas", "north", N3, "repair").id == "gas"
    assert policy.sla("normal", None, "north", N3, "repair").id == "normal"


def test_a_kind_nobody_wrote_a_rule_for_is_a_lookup_error_only_without_a_last_row():
    document = changed(sla=lambda rows: rows.pop())
    with pytest.raises(LookupError, match="low"):
        compile_policy(document).sla("low", "gas", "north", N3, "repair")


def test_emergencies_are_given_directly_and_the_rest_is_offered():
    assert POLICY.mode("emergency", "gas", "north", N3, "repair").mode == "direct"
    normal = POLICY.mode("normal", "gas", "north", N3, "repair")
    assert (normal.mode, normal.expires) == ("offer", 300)


def test_a_ladder_is_laid_flat_with_times_from_the_breach():
    assert [(rung.level, rung.after_s, rung.to) for rung in POLICY.rungs("emergency")] == [
        (1, 0, ("supervisor", "shift_leader")),
        (2, 300, ("head_of_logistics",)),
        (4, 1200, ("campus_duty_officer",)),
    ]


def test_duplicates_join_within_the_window_of_their_trade():
    assert POLICY.duplicate_window_s("plumbing") == 4 * 3600
    assert POLICY.duplicate_window_s("hvac") == 2 * 3600
    assert POLICY.duplicate_window_s("locksmith") == 0
    assert POLICY.duplicate_window_s(None) == 0
    off = compile_policy(changed(duplicates=lambda rule: rule.update(enabled=False)))
    assert off.duplicate_window_s("plumbing") == 0


def test_rework_counts_within_the_window_of_its_trade():
    assert POLICY.rework_window_s("plumbing") == 30 * 86400
    assert POLICY.rework_window_s("locksmith") == 7 * 86400
    assert POLICY.rework_window_s("cleaning") == 0
    assert POLICY.rework_window_s(None) == 0
    off = compile_policy(changed(rework=lambda rule: rule.update(enabled=False)))
    assert off.rework_window_s("plumbing") == 0


def test_what_a_rule_compiles_is_made_once():
    assert POLICY.compiled(_Counted) is POLICY.compiled(_Counted)


class _Counted:
    def __init__(self, policy):
        self.version = policy.version


def test_a_lane_is_named_by_tenant_and_territory():
    assert lane_key("campus", "north") == "campus:north"


def test_an_unknown_default_territory_is_found_and_the_nearest_name_offered():
    assert findings(site=lambda site: site.update(default_territory="nort")) == [
        (
            ("site", "default_territory"),
            "unknown territory 'nort'",
            "one of: north, south (did you mean 'north'?)",
        )
    ]


@pytest.mark.parametrize(
    ("part", "change", "path", "what"),
    [
        ("site", lambda p: p.update(timezone="Asia/Shangai"), ("site", "timezone"), "unknown time zone"),
        ("calendars", lambda p: p["clinic"].update(timezone=""), ("calendars", "clinic", "timezone"), "time zone"),
        ("territories", lambda p: p[1].update(id="north"), ("territories", 1, "id"), "occurs twice"),
        (
            "territories",
            lambda p: p[1]["areas"][0].update(id="north"),
            ("territories", 1, "areas", 0, "id"),
            "'north' occurs twice",
        ),
        (
            "territories",
            lambda p: p[0]["areas"][0]["areas"][0]["areas"][0]["aliases"].append("3 号楼"),
            ("territories", 0, "areas", 0, "areas", 1, "areas", 0, "aliases", 0),
            "names both 'north.n1' and 'north.n3'",
        ),
        (
            "territories",
            lambda p: p[0]["bounds"].__setitem__(slice(None), [[31, 121], [31, 122]]),
            ("territories", 0, "bounds"),
            "2 different points",
        ),
        (
            "territories",
            lambda p: p[0].update(bounds=[[0, 0], [1, 1], [1, 0], [0, 1]]),
            ("territories", 0, "bounds", 2),
            "cross",
        ),
        (
            "territories",
            lambda p: p[0].update(bounds=[[121, 31], [121, 32], [122, 31]]),
            ("territories", 0, "bounds", 0),
            "not on the globe",
        ),
        (
            "territories",
            lambda p: p[0]["assets"].append({"code": "lift-n1-7", "area": "north.n1"}),
            ("territories", 0, "assets", 12, "code"),
            "overlaps 'LIFT-N1-*'",
        ),
        (
            "territories",
            lambda p: p[0]["assets"].append({"code": "X", "area": "south.s1"}),
            ("territories", 0, "assets", 12, "area"),
            "unknown area 'south.s1'",
        ),
        (
            "calendars",
            lambda p: p["workdays"]["week"].update(mon=[[28800, 43200], [39600, 50000]]),
            ("calendars", "workdays", "week", "mon", 1),
            "overlap",
        ),
        (
            "calendars",
            lambda p: p["workdays"]["week"].update(mon=[[43200, 28800]]),
            ("calendars", "workdays", "week", "mon", 0),
            "ends before it starts",
        ),
        ("calendars", lambda p: p["clinic"].update(week={}), ("calendars", "clinic"), "no working time"),
        ("sla", lambda p: p[0].update(calendar="allways"), ("sla", 0, "calendar"), "unknown calendar 'allways'"),
        ("sla", lambda p: p[0].update(ladder="x"), ("sla", 0, "ladder"), "unknown ladder 'x'"),
        ("sla", lambda p: p[1].update(id="emergency"), ("sla", 1, "id"), "occurs twice"),
        (
            "sla",
            lambda p: p[5]["targets"]["confirm"].update(ladder="x"),
            ("sla", 5, "targets", "confirm", "ladder"),
            "unknown ladder 'x'",
        ),
        (
            "sla",
            lambda p: p[5]["targets"]["confirm"].update(calendar="x"),
            ("sla", 5, "targets", "confirm", "calendar"),
            "unknown calendar 'x'",
        ),
        ("sla", lambda p: p[2]["targets"].pop("resolve"), ("sla", 2, "targets"), "no target for resolve"),
        ("sla", lambda p: p[2]["targets"].pop("triage"), ("sla", 2, "targets"), "no target for triage"),
        (
            "sla",
            lambda p: p[0].update(warn_at_permille=[800, 500]),
            ("sla", 0, "warn_at_permille"),
            "not in rising order",
        ),
        ("sla", lambda p: p.pop(), ("sla",), "no SLA rule fits every order of urgency 'low'"),
        (
            "sla",
            lambda p: p[1]["when"].update(area=["south.s66"]),
            ("sla", 1, "when", "area", 0),
            "unknown area 'south.s66'",
        ),
        (
            "sla",
            lambda p: p[3]["when"].update(kind=["complaint", "sugestion"]),
            ("sla", 3, "when", "kind", 1),
            "unknown kind 'sugestion'",
        ),
        ("ladders", lambda p: p["office"].update(then="x"), ("ladders", "office", "then"), "unknown ladder 'x'"),
        (
            "ladders",
            lambda p: p["campus"].update(then="emergency"),
            ("ladders", "campus", "then"),
            "comes back to itself",
        ),
        (
            "ladders",
            lambda p: p["office"]["rungs"][1].update(level=1),
            ("ladders", "office", "rungs", 1),
            "not above and after",
        ),
        (
            "ladders",
            lambda p: p["office"]["rungs"][2].update(after=0),
            ("ladders", "office", "rungs", 2),
            "not above and after",
        ),
        (
            "ladders",
            lambda p: p["campus"]["rungs"][0].update(level=2),
            ("ladders", "emergency", "then"),
            "not above and after its own last",
        ),
        (
            "matching",
            lambda p: p["modes"][1]["when"].update(trade=["plumming"]),
            ("matching", "modes", 1, "when", "trade", 0),
            "unknown trade 'plumming'",
        ),
        (
            "matching",
            lambda p: p["modes"].pop(),
            ("matching", "modes"),
            "no mode fits every order of urgency 'low'",
        ),
        (
            "duplicates",
            lambda p: p["by_trade"].update(gaz=1),
            ("duplicates", "by_trade", "gaz"),
            "unknown trade 'gaz'",
        ),
        ("rework", lambda p: p["by_trade"].update(gaz=1), ("rework", "by_trade", "gaz"), "unknown trade 'gaz'"),
        ("lexicon", lambda p: p["trades"].update(x={}), ("lexicon", "trades", "x"), "unknown trade 'x'"),
        ("lexicon", lambda p: p["symptoms"].update(x={}), ("lexicon", "symptoms", "x"), "unknown trade 'x'"),
        (
            "lexicon",
            lambda p: p["emergencies"]["fire"].update(trade="x"),
            ("lexicon", "emergencies", "fire", "trade"),
            "unknown trade 'x'",
        ),
    ],
)
def test_what_does_not_fit_is_found_where_it_stands(part, change, path, what):
    found = {each.path: each for each in check(changed(**{part: change}))}
    assert path in found, found
    assert what in found[path].what
    assert found[path].expected


def test_a_gap_for_one_trade_is_named():
    trades = [trade for trade in POLICY.trades if trade != "gas"]
    [(path, what, _)] = findings(
        sla=lambda rows: rows[-1].update(when={"trade": trades}) or rows[-1]["targets"].pop("triage")
    )
    assert path == ("sla",)
    assert what.endswith("'low': (no trade yet), gas")
