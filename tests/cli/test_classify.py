"""`dispatch classify` says what would become of a report, without a server."""

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
