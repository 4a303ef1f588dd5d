"""Each kind of mistake in the config folder, and what is said about it: file, line, what, and what was expected."""

import shutil
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dispatch.config import FILES, OPTIONAL, ConfigErrors, load_config, load_roster
from dispatch.errors import Broken
from dispatch.rules.roster import plan_shifts, technician_data

SHIPPED = Path(__file__).parents[2] / "config"
SHANGHAI = ZoneInfo("Asia/Shanghai")


def copy(folder, file=None, old="", new=""):
    """The shipped folder with one place of one file changed, and the line that the place is on."""
    target = folder / "config"
    shutil.copytree(SHIPPED, target)
    if file is None:
        return target, 0
    text = (target / file).read_text("utf-8")
    assert text.count(old) >= 1, f"{file} does not say {old!r}"
    (target / file).write_text(text.replace(old, new, 1), "utf-8")
    return target, text[: text.index(old)].count("\n") + 1


def errors_of(folder):
    with pytest.raises(ConfigErrors) as found:
        load_config(folder)
    return found.value.errors


def test_the_folder_that_ships_is_read(tmp_path):
    folder, _ = copy(tmp_path)
    assert load_config(folder).tenant == "campus"
    assert len(load_roster(folder, load_config(folder)).technicians) == 25


@pytest.mark.parametrize(
    ("file", "old", "new", "below", "what", "expected"),
    [
        ("site.yaml", "tenant: campus", "tenant: [campus", 1, "not YAML", "well-formed YAML"),
        ("site.yaml", "tenant: campus", "tenant: Campus", 0, "got 'Campus'", "a name of lower-case letters"),
        ("site.yaml", "tenant: campus", "tenant: campus\ntenant: two", 1, "occurs twice, first on line 2", "once"),
        ("site.yaml", "tenant: campus", "tennant: campus", 0, "unknown key 'tennant'", "did you mean 'tenant'?"),
        ("site.yaml", "tombstone: 400d", "tombstone: 400 days", 0, "got '400 days'", "a duration such as 90s"),
        ("site.yaml", "tombstone: 400d", "tombstone: 401d", 0, "got '401d'", "less than or equal to 34560000"),
        ("site.yaml", "tombstone: 400d", "tombstone: ", 0, "nothing is given", "a whole number"),
        ("site.yaml", "tombstone: 400d", "tombstone: !!binary aGk=", 0, "the tag binary", "a plain value"),
        ("site.yaml", "confirm_silence: auto_confirm", "confirm_silence: no", 0, "got 'no'", "'leave'"),
        ("site.yaml", "timezone: Asia/Shanghai", "timezone: Asia/Beijing", 0, "unknown time zone", "IANA"),
        ("site.yaml", "default_territory: north", "default_territory: nrth", 0, "'nrth'", "mean 'north'"),
        ("trades.yaml", "min_level: 2", "min_level: two", 0, "got 'two'", "a whole number"),
        ("trades.yaml", "min_level: 2", "min_level: 2.5", 0, "got '2.5'", "a whole number"),
        ("trades.yaml", "plumbing:", "Plumbing:", 0, "'Plumbing' cannot be a key", "a name of lower-case"),
        ("trades.yaml", "en: Plumbing", "english: Plumbing", 0, "unknown key 'english'", "one of: en, zh"),
        ("trades.yaml", "[gas_fitter_licence]", "gas_fitter_licence", 0, "got 'gas_fitter_licence'", "a list"),
        ("calendars.yaml", '"08:00-12:00"', '"08:00 to 12:00"', 0, "got '08:00 to 12:00'", "08:00-12:00"),
        ("calendars.yaml", '"08:00-12:00"', '"08:00-25:00"', 0, "got '08:00-25:00'", "08:00-12:00"),
        ("calendars.yaml", '"08:00-12:00"', '"08:00-14:00"', 0, "two intervals of mon overlap", "apart"),
        ("calendars.yaml", '"08:00-12:00"', '"12:00-08:00"', 0, "ends before it starts", "before its end"),
        ("calendars.yaml", "2026-01-02", "2026-02-30", 0, "got '2026-02-30'", "a date such as"),
        ("calendars.yaml", "2026-05-09: mon", "2026-05-09: monday", 0, "got 'monday'", "'mon', 'tue'"),
        ("sla.yaml", "accept: {within: 5m}", "acept: {within: 5m}", 0, "'acept' cannot be a key", "'accept'"),
        ("sla.yaml", "accept: {within: 5m}", "accept: {in: 5m}", 0, "unknown key 'in'", "one of: calendar"),
        ("sla.yaml", "calendar: always", "calendar: allways", 0, "unknown calendar 'allways'", "mean 'always'"),
        ("sla.yaml", "warn_at_permille: [500, 800]", "warn_at_permille: [800, 500]", 0, "rising", "[500, 800]"),
        ("sla.yaml", "warn_at_permille: [500, 800]", "warn_at_permille: [5000]", 0, "got '5000'", "less than 1000"),
        ("ladders.yaml", "to: [supervisor]}", "to: []}", 0, "got a list of 0", "at least 1 item"),
        ("ladders.yaml", "then: campus", "then: kampus", 0, "unknown ladder 'kampus'", "mean 'campus'"),
        ("matching.yaml", "expires: 3m", "expiry: 3m", 0, "unknown key 'expiry'", "mean 'expires'"),
        ("matching.yaml", "    expires: 3m\n", "", -2, "do not go together", "an offer needs `expires`"),
        ("matching.yaml", "locksmith: 0s", "lockpick: 0s", 0, "unknown trade 'lockpick'", "one of"),
        ("matching.yaml", "pest_control: 14d", "pest_contrl: 14d", 0, "unknown trade 'pest_contrl'", "pest_control"),
        ("matching.yaml", "alike_permille: 350", "alike_permille: 3500", 0, "3500", "1000"),
        ("matching.yaml", "window: 2h", "windw: 2h", 0, "unknown key 'windw'", "did you mean 'window'?"),
        ("reasons.yaml", "pauses: [resolve]", "pauses: [solve]", 0, "got 'solve'", "'resolve'"),
        ("reasons.yaml", "releases_assignee: true", "releases_assignee: often", 0, "got 'often'", "true or false"),
        ("reasons.yaml", ", en: Waiting for parts", "", 0, "'en' is missing", "the key 'en'"),
        ("lexicon.yaml", "    trade: gas", "    trade: gaz", 0, "unknown trade 'gaz'", "mean 'gas'"),
        ("site.yaml", "  complaint: {", "  komplaint: {", 0, "unknown kind 'komplaint'", "mean 'complaint'"),
        ("matching.yaml", "trades: [plumbing", "trades: [plumbink", 0, "unknown trade 'plumbink'", "mean 'plumbing'"),
        ("lexicon.yaml", "    certificates: [welding_licence]", "    certificates: []", 0, "a list of 0", "at least 1"),
        ("urgency.yaml", "trade: [locksmith]", "trade: [lock]", 0, "unknown trade 'lock'", "mean 'locksmith'"),
        ("urgency.yaml", "trade: [locksmith]", "area: [south.s66]", 0, "unknown area 'south.s66'", "mean 'south.s6'"),
        ("urgency.yaml", '"21:00-24:00"', '"21:00-06:00"', 0, "ends before it starts", "two intervals for a night"),
        (
            "urgency.yaml",
            "until: 2027-01-17",
            "until: 2026-01-17",
            0,
            "'exams' ends before it begins",
            "from 2027-01-04",
        ),
        ("urgency.yaml", "to: urgent", "to: low", 0, "'exams' raises nothing", "more urgent"),
        ("urgency.yaml", "- id: frost", "- id: exams", 0, "'exams' occurs twice", "its own"),
        (
            "urgency.yaml",
            "- id: exams",
            "- {id: all, to: urgent, reason: {zh: 都, en: all}}\n- id: exams",
            0,
            "'all' holds for every report",
            "when, words",
        ),
        ("plans.yaml", "hazards: [gas]", "hazards: [gaz]", 0, "unknown hazard 'gaz'", "mean 'gas'"),
        ("plans.yaml", "hazards: [fire]", "hazards: [gas]", 0, "hazard of a plan 'gas' occurs twice", "its own"),
        ("plans.yaml", "- id: fire", "- id: gas", 0, "plan id 'gas' occurs twice", "its own"),
        ("territories.yaml", "lat: 31.030", "lat: 131", 0, "got '131'", "less than or equal to 90"),
        ("territories.yaml", "id: north.n2", "id: north.n1", 0, "'north.n1' occurs twice", "its own"),
        ("territories.yaml", "area: north.n7", "area: north.n77", 0, "unknown area 'north.n77'", "mean"),
        ("territories.yaml", "kind: campus", "kind: planet", 0, "got 'planet'", "'campus', 'zone'"),
    ],
)
def test_a_mistake_is_reported_with_file_and_line(tmp_path, file, old, new, below, what, expected):
    folder, line = copy(tmp_path, file, old, new)
    found = errors_of(folder)
    at_line = [each for each in found if (each.file, each.line) == (file, line + below)]
    assert any(what in each.what and expected in each.expected and each.column >= 1 for each in at_line), found


def test_all_mistakes_are_reported_at_once(tmp_path):
    folder, _ = copy(tmp_path, "site.yaml", "tombstone: 400d", "tombstone: soon")
    for file, old, new in (
        ("trades.yaml", "min_level: 2", "min_level: two"),
        ("sla.yaml", "within: 3m", "within: 3 minutes"),
        ("ladders.yaml", "then: campus", "then: [campus"),
    ):
        text = (folder / file).read_text("utf-8")
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")
    found = errors_of(folder)
    assert [each.file for each in found] == ["ladders.yaml", "site.yaml", "sla.yaml", "trades.yaml"]


def test_the_text_of_the_error_names_every_place(tmp_path):
    folder, line = copy(tmp_path, "site.yaml", "tombstone: 400d", "tombstone: soon")
    with pytest.raises(Broken) as found:
        load_config(folder)
    assert str(found.value) == f"site.yaml:{line}: got 'soon'; expected a duration such as 90s, 15m, 2h or 3d"


@pytest.mark.parametrize("file", sorted({*FILES.values()} - OPTIONAL))
def test_a_missing_file_is_named(tmp_path, file):
    folder, _ = copy(tmp_path)
    (folder / file).unlink()
    [found] = errors_of(folder)
    assert (found.file, found.line, found.what) == (file, None, "the file is missing")
    assert "config" in found.expected


@pytest.mark.parametrize("file", sorted(OPTIONAL))
def test_a_file_that_may_be_missing_is_not_missed(tmp_path, file):
    folder, _ = copy(tmp_path)
    (folder / file).unlink()
    assert getattr(load_config(folder).document, file.removesuffix(".yaml")) == ()


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n", "---\n"])
def test_an_empty_file_is_named(tmp_path, content):
    folder, _ = copy(tmp_path)
    (folder / "site.yaml").write_text(content, "utf-8")
    assert errors_of(folder)[0].file == "site.yaml"


def test_a_file_in_another_encoding_is_named(tmp_path):
    folder, _ = copy(tmp_path)
    (folder / "site.yaml").write_bytes("tenant: 后勤".encode("gbk"))
    [found] = errors_of(folder)
    assert (found.file, found.what) == ("site.yaml", "not UTF-8 at byte 8")


def test_a_list_where_a_mapping_belongs_is_named(tmp_path):
    folder, _ = copy(tmp_path)
    (folder / "trades.yaml").write_text("- plumbing\n", "utf-8")
    assert errors_of(folder)[0].expected == "a mapping of `key: value`"


def test_an_anchor_inside_itself_ends(tmp_path):
    folder, _ = copy(tmp_path)
    (folder / "trades.yaml").write_text("plumbing: &a\n  name: *a\n", "utf-8")
    assert "contains itself" in str(errors_of(folder)[0])


def test_a_key_that_is_no_word_is_named(tmp_path):
    folder, _ = copy(tmp_path, "trades.yaml", "cleaning:", "? [a, b]\n: 1\ncleaning:")
    assert errors_of(folder)[0].what == "a key that is not a word"


def test_words_that_yaml_once_read_as_truth_or_numbers_stay_words(tmp_path):
    folder, _ = copy(tmp_path, "lexicon.yaml", "    en: [faucet,", "    en: [no, on, 08:30, 0012, 1_000, faucet,")
    words = load_config(folder).document.lexicon.trades["plumbing"].en
    assert words[:5] == ("no", "on", "08:30", "0012", "1_000")


def test_a_number_where_a_word_belongs_is_asked_to_be_quoted(tmp_path):
    folder, line = copy(tmp_path, "lexicon.yaml", "    en: [faucet,", "    en: [12, faucet,")
    found = errors_of(folder)[0]
    assert (found.line, found.what) == (line, "got '12'")
    assert "in quotes" in found.expected


def roster_errors(folder):
    with pytest.raises(ConfigErrors) as found:
        load_roster(folder, load_config(folder))
    return found.value.errors


@pytest.mark.parametrize(
    ("old", "new", "below", "what", "expected"),
    [
        ("{trade: gas, level: 4}", "{trade: gaz, level: 4}", 0, "unknown trade 'gaz'", "mean 'gas'"),
        ("{trade: gas, level: 4}", "{trade: gas, level: 6}", 0, "got '6'", "less than or equal to 5"),
        ("area: north.zone-a", "area: north.zone-z", 0, "unknown area of the territory north", "north.zone-b"),
        ("area: north.zone-a", "area: south.zone-a", 0, "unknown area of the territory north", "north.zone-a"),
        ("home_territory: north", "home_territory: east", 0, "unknown territory 'east'", "one of: north, south"),
        ("id: n02", "id: n01", 0, "'n01' occurs twice", "an id of its own"),
        ('start: "08:00"', 'start: "8am"', 0, "got '8am'", "a time of day such as 08:30"),
        ("org_id: logistics", "org: logistics", -2, "'org_id' is missing", "the key 'org_id'"),
        ("issued: 2023-07-01", "issued: last year", 0, "got 'last year'", "a date such as"),
    ],
)
def test_a_mistake_in_the_roster_is_reported_with_its_line(tmp_path, old, new, below, what, expected):
    folder, line = copy(tmp_path, "roster.yaml", old, new)
    found = roster_errors(folder)[0]
    assert (found.file, found.line) == ("roster.yaml", line + below)
    assert what in found.what
    assert expected in found.expected


def test_a_shift_that_overlaps_another_is_reported(tmp_path):
    folder, _ = copy(
        tmp_path,
        "roster.yaml",
        "      - &night_a {",
        '      - {days: [tue], start: "07:00", end: "09:00"}\n      - &night_a {',
    )
    assert "shifts of 'n10' overlap" in roster_errors(folder)[0].what


def shipped_roster():
    return load_roster(SHIPPED, load_config(SHIPPED))


def test_a_night_shift_ends_on_the_next_day():
    [shift] = [s for s in plan_shifts(shipped_roster(), date(2026, 3, 2), SHANGHAI) if s["technician_id"] == "n10"]
    assert shift == {
        "technician_id": "n10",
        "start": "2026-03-02T20:00:00+08:00",
        "end": "2026-03-03T08:00:00+08:00",
        "role": "member",
        "territory": "north",
    }


def test_nobody_is_planned_on_a_day_off():
    weekend = {s["technician_id"] for s in plan_shifts(shipped_roster(), date(2026, 3, 7), SHANGHAI)}
    assert "n01" not in weekend
    assert {"n06", "s06", "n12"} <= weekend


def test_an_event_about_a_technician_holds_no_name():
    technician = shipped_roster().technicians[0]
    data = technician_data(technician, SHANGHAI)
    assert technician.name is not None
    assert technician.name not in str(data)
    assert data["certificates"][0]["expires"] == "2029-07-01T00:00:00+08:00"
    assert data["serves"][0] == {"area": "north.zone-a", "rank": 1, "wait_s": 0}


NIGHT_TRADES = {"plumbing", "electrical", "locksmith", "elevator", "gas", "fire_safety", "security", "general"}


@pytest.mark.parametrize("territory", ["north", "south"])
@pytest.mark.parametrize("day", range(2, 9))
def test_every_trade_is_covered_by_day_and_the_vital_ones_by_night(territory, day):
    policy = load_config(SHIPPED)
    roster = load_roster(SHIPPED, policy)

    def able(technician, trade):
        needs = policy.trades[trade]
        held = {each.type for each in technician.certificates}
        levels = {skill.trade: skill.level for skill in technician.skills}
        return levels.get(trade, 0) >= needs.min_level and held >= set(needs.certificates)

    planned = plan_shifts(roster, date(2026, 3, day), SHANGHAI)
    by_day = {s["technician_id"] for s in planned if "T08:00" in s["start"]}
    by_night = {s["technician_id"] for s in planned if "T20:00" in s["start"]}
    for on_duty, trades in ((by_day, set(policy.trades)), (by_night, NIGHT_TRADES)):
        people = [t for t in roster.technicians if t.id in on_duty and t.home_territory == territory]
        assert {trade for trade in trades if not any(able(t, trade) for t in people)} == set()
