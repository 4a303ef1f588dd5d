"""`dispatch classify` says what would become of a report, without a server."""

import csv
import re

import pytest

from dispatch.cli.classify_file import COLUMNS

TAP = "3号宿舍楼402水龙头漏水"


def test_a_leak_goes_to_plumbing_with_its_promises(invoke):
    (said,) = invoke.lines("classify", TAP)
    assert said["trade"] == "plumbing"
    assert said["place"]["room"] == "402"
    assert said["goes_to"] == "matching"
    assert said["mode"] == "offer"
    assert {target["name"] for target in said["targets"]} >= {"accept", "resolve"}
    assert any("plumbing" in each for each in said["evidence"])


def test_words_without_a_thing_go_to_the_front_desk(invoke):
    (said,) = invoke.lines("classify", "qwertz")
    assert said["trade"] is None
    assert said["goes_to"] == "front_desk"
    assert [target["name"] for target in said["targets"]] == ["triage"]


def test_a_place_given_beside_the_text_is_used(invoke):
    (said,) = invoke.lines("classify", "no light", "--building", "3号宿舍楼", "--room", "101")
    assert said["place"]["room"] == "101"
    assert said["place"]["source"] == "building"


def test_the_faults_of_a_report_are_shown_each_with_its_place(invoke):
    (said,) = invoke.lines("classify", TAP + "，另外403的灯也不亮", "--territory", "north")
    tap, lamp = said["faults"]
    assert (tap["trade"], tap["place"]["room"], tap["after"]) == ("plumbing", "402", "")
    assert (lamp["trade"], lamp["place"]["room"], lamp["after"]) == ("electrical", "403", "另外")
    assert (lamp["text"], lamp["urgency"], said["second_trade"]) == ("403的灯也不亮", "normal", "electrical")
    shown = invoke("classify", TAP + "，另外403的灯也不亮").output
    tap_line = rf"plumbing \((normal|urgent)\): {TAP}"  # of a tap that leaks, another model may think otherwise
    assert re.search(rf"^faults\t{tap_line}, electrical \(normal\): 403的灯也不亮$", shown, re.MULTILINE)
    (alone,) = invoke.lines("classify", TAP)
    assert (alone["faults"], alone["second_trade"]) == ([], None)


def test_a_report_is_read_from_standard_input(invoke):
    (said,) = invoke.lines("classify", "-", stdin=TAP)
    assert said["trade"] == "plumbing"


def test_people_read_names_and_values(invoke):
    result = invoke("classify", TAP)
    assert result.exit_code == 0
    assert "trade\tplumbing" in result.output
    assert "WITHIN" in result.output


def test_an_unknown_territory_is_refused_with_the_known_ones(invoke):
    result = invoke("classify", TAP, "--territory", "atlantis")
    assert result.exit_code == 1
    assert "unknown-territory" in result.stderr
    assert "north" in result.stderr


def test_a_hint_that_is_no_urgency_is_a_usage_error(invoke):
    assert invoke("classify", TAP, "--urgency-hint", "asap").exit_code == 2


def write_table(path, *rows):
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def read_table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_is_judged_row_by_row(invoke, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    texts = (TAP, "", "后厨有很浓的煤气味", 'said "no power",\nsince noon', "socket dead, tap leaking, tap drips")
    write_table(source, ("more", "id", "text"), *(("x", f"r{at}", text) for at, text in enumerate(texts)), ("x", "r5"))
    result = invoke("classify", "--in", source, "--out", target)
    assert (result.exit_code, result.output) == (0, "classified\t6\n")
    rows = read_table(target)
    assert tuple(rows[0]) == COLUMNS
    assert [row["id"] for row in rows] == ["r0", "r1", "r2", "r3", "r4", "r5"]
    assert [row["trade"] for row in rows] == ["plumbing", "", "gas", "electrical", "electrical", ""]
    assert [row["abstained"] for row in rows] == ["0", "1", "0", "0", "0", "1"]
    assert [row["emergency"] for row in rows] == ["0", "0", "1", "0", "0", "0"]
    assert {row["kind"] for row in rows} == {"repair"}
    assert rows[0]["room"] == "402"
    assert "plumbing" in rows[0]["evidence"]
    assert (rows[0]["second_trade"], rows[4]["second_trade"]) == ("", "plumbing")
    assert [row["faults"] for row in rows] == ["1", "1", "1", "1", "2", "1"]


def test_a_table_says_how_many_faults_a_report_tells(invoke, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    texts = ("一是水龙头坏了，二是灯管闪，三是抽屉拉不开", "AC not cooling and the wifi is down", TAP)
    write_table(source, ("id", "text"), *enumerate(texts))
    invoke("classify", "--in", source, "--out", target)
    rows = [(row["trade"], row["second_trade"], row["faults"]) for row in read_table(target)]
    assert rows == [("plumbing", "electrical", "3"), ("hvac", "network", "2"), ("plumbing", "", "1")]


def test_a_row_of_a_table_gets_the_verdict_that_its_text_gets_alone(invoke, tmp_path):
    source, target = write_table(tmp_path / "in.csv", ("id", "text"), ("1", TAP)), tmp_path / "out.csv"
    options = ("--trade-hint", "masonry", "--building", "3号宿舍楼", "--urgency-hint", "urgent")
    (alone,) = invoke.lines("classify", TAP, *options)
    assert invoke.lines("classify", "--in", source, "--out", target, *options) == [{"classified": 1}]
    (row,) = read_table(target)
    assert (row["trade"], row["urgency"]) == (alone["trade"], alone["urgency"])
    assert row["building"] == alone["place"]["building"] == "north.n3"
    assert float(row["confidence"]) == alone["confidence"]
    assert row["evidence"].split("; ") == alone["evidence"]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (b"id,body\n1,tap\n", "no column text; the columns are: id, body"),
        (b"", "no column id and no text; the columns are: none"),
        (b"id,text\n1,\xb5\xc6\n", "not UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_and_nothing_is_written(invoke, tmp_path, table, told):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(table)
    result = invoke("classify", "--in", source, "--out", target)
    assert result.exit_code == 1
    assert told in result.stderr
    assert not target.exists()


def test_a_table_that_is_not_there_is_named(invoke, tmp_path):
    result = invoke("classify", "--in", tmp_path / "none.csv", "--out", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert "none.csv: No such file" in result.stderr


def test_a_text_or_a_table_with_its_target_is_asked_for(invoke, tmp_path):
    source = write_table(tmp_path / "in.csv", ("id", "text"))
    for words in ((), (TAP, "--in", source, "--out", tmp_path / "o"), ("--in", source), (TAP, "--out", source)):
        assert invoke("classify", *words).exit_code == 2
    assert read_table(source) == []
