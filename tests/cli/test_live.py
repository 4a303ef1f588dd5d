"""The commands on a real broker, beside a worker that is at work."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from dispatch.cli.connections import lane_of
from dispatch.topics import TOPICS

pytestmark = pytest.mark.slow
WAIT_S = "60"


def _line(kind, data, **attributes):
    return json.dumps({"type": kind, "data": data, **attributes}, ensure_ascii=False) + "\n"


def _report(text="3号宿舍楼402水龙头漏水", **attributes):
    reporter = {"id": "stu-7", "name": "Li Lei", "phone": "19900001111"}
    return _line("request", {"channel": "web", "reporter": reporter, "text": text}, **attributes)


def _on_duty(technician_id, trade):
    now = datetime.now(UTC)
    person = {
        "id": technician_id,
        "version": int(now.timestamp()),
        "org_id": "in",
        "home_territory": "north",
        "serves": [{"area": "north"}],
        "skills": [{"trade": trade, "level": 5}],
        "capacity": {"open": 9},
    }
    start, end = now - timedelta(minutes=1), now + timedelta(hours=6)
    shift = {"technician_id": technician_id, "start": start.isoformat(), "end": end.isoformat()}
    return _line("technician.updated", person) + _line("shift.started", shift)


def _heard(lines, kind):
    return [line for line in lines if line.get("type") == kind and "accepted" not in line]


@pytest.fixture(scope="module")
def opened(live):
    """A report that was given to the technician who is on duty: (order id, what was heard)."""
    said = live.lines("publish", "-", "--wait", WAIT_S, stdin=_on_duty("t-plumber", "plumbing"))
    assert _heard(said, "shift.started")
    said = live.lines("publish", "-", "--wait", WAIT_S, stdin=_report())
    (accepted,) = [line for line in said if line.get("accepted")]
    (order_id,) = accepted["order_ids"]
    return order_id, said


def test_missing_topics_are_told_then_created_with_the_partitions_asked_for(fresh):
    before = fresh("topics", "--json")
    if before.exit_code:  # the first test to ask: nobody has created them yet
        assert "missing: run `dispatch topics --create`" in before.stderr
    created = {row["topic"]: row for row in fresh.lines("topics", "--create")}
    assert created.keys() == TOPICS.keys()
    assert {row["partitions"] for name, row in created.items() if TOPICS[name].keyed} == {2}
    assert fresh("topics").exit_code == 0


def test_the_policy_of_the_folder_is_shown_and_activated(live, tmp_path):
    (shown,) = live.lines("policy", "show")
    assert shown["active"] == shown["config"]
    folder = shutil.copytree(live.environ["DISPATCH_CONFIG"], tmp_path / "config")
    reasons = folder / "reasons.yaml"
    reasons.write_text(reasons.read_text("utf-8") + "  raining: {zh: 下雨, en: It rains}\n", "utf-8")
    told = live("policy", "show", "--config", folder)
    assert "which is not active: run `dispatch policy activate`" in told.stderr
    (done,) = live.lines("policy", "activate", "--config", folder, "--wait", WAIT_S)
    assert done["before"] == shown["active"]
    assert done["lanes"] == 2
    assert done["waiting_for"] == []
    (shown,) = live.lines("policy", "show", "--config", folder)
    assert shown["active"] == shown["config"] == done["version"]
    assert len(shown["versions"]) == 2
    assert live("policy", "show", "--document").output.startswith("{")


def test_a_report_is_published_and_the_assignment_is_heard(opened):
    order_id, said = opened
    assert [line["subject"] for line in _heard(said, "work-order.opened")] == [order_id]
    (offered,) = _heard(said, "work-order.offered")
    assert offered["subject"] == order_id
    assert offered["data"]["technician_id"] == "t-plumber"
    assert "19900001111" not in json.dumps(said)


def test_the_same_report_again_has_no_effect_and_says_so(live, opened):
    result = live("publish", "-", "--wait", "3", stdin=_report())
    assert result.exit_code == 1
    assert "nothing was heard of line 1" in result.stderr
    assert opened[0] in result.output


def test_open_orders_are_listed_with_their_next_deadline(live, opened):
    order_id, _said = opened
    (row,) = [row for row in live.lines("orders", "--territory", "north") if row["id"] == order_id]
    assert row["state"] == "offered"
    assert row["technician"] == ["t-plumber"]
    assert row["trade"] == "plumbing"
    assert row["next_deadline"]
    assert live.lines("orders", "--state", "closed") == []
    result = live("orders")
    assert row["display_no"] in result.output
    assert live("orders", "--territory", "atlantis").exit_code == 1


def test_an_order_tells_its_story_by_id_and_by_number(live, opened):
    order_id, _said = opened
    (story,) = live.lines("order", order_id)
    assert [event["type"] for event in story["events"]][:1] == ["work-order.opened"]
    assert story["why"]["technician_id"] == "t-plumber"
    assert story["why"]["sentence"]["en"].startswith("Cost ")
    assert "t-plumber" in [each["technician_id"] for each in story["why"]["candidates"]]
    assert {clock["state"] for clock in story["clocks"]} == {"running"}
    assert story["owners"][0]["because"] == "work-order.opened"
    assert story["legs"][0]["state"] == "offered"
    (again,) = live.lines("order", story["display_no"])
    assert again["id"] == order_id
    result = live("order", story["display_no"])
    for title in ("# what happened", "# promises", "# who was asked", "# why this technician", "# who answered for it"):
        assert title in result.output
    assert "Li Lei" not in result.output


def test_an_order_that_nobody_knows_is_said_to_be_unknown(live, opened):
    result = live("order", "NORTH-99999")
    assert result.exit_code == 1
    assert "no work order 'NORTH-99999' on the log" in result.stderr


def test_a_final_order_keeps_its_verdicts(live, opened):
    text = "5号宿舍楼210 水管爆裂 water pipe"
    said = live.lines("publish", "-", "--wait", WAIT_S, stdin=_report(text, id="final-1"))
    offered = (_heard(said, "work-order.offered") or _heard(said, "work-order.assigned"))[0]
    order_id, leg = offered["subject"], offered["data"]["assignment_id"]
    actor = {"id": "t-plumber", "role": "technician"}
    about = {"work_order_id": order_id, "actor": actor}
    work = "".join(_line(f"action.{name}", about) for name in ("accept", "start"))
    work += _line("action.complete", {**about, "assignment_id": leg, "visit_no": 1, "disposition": "fixed"})
    work += _line("action.confirm", {**about, "actor": {"id": "stu-7", "role": "requester"}})
    said = live.lines("publish", "-", "--wait", WAIT_S, stdin=work)
    assert _heard(said, "work-order.closed")
    (story,) = live.lines("order", order_id)
    assert story["state"] == "closed"
    assert {"accept", "resolve"} <= {clock["name"] for clock in story["clocks"] if clock["verdict"] == "met"}
    assert "technician/t-plumber" in [event["by"] for event in story["events"]]
    assert order_id in [row["id"] for row in live.lines("orders", "--final")]


def test_a_dead_letter_is_listed_without_what_it_held_and_sent_again(live, opened):
    unknown = {"work_order_id": "wo-nobody", "actor": {"id": "t-plumber", "role": "technician"}}
    said = live.lines("publish", "-", "--wait", WAIT_S, stdin=_line("action.accept", unknown, id="late"), code=1)
    (refused,) = _heard(said, "input.refused")
    assert refused["data"]["code"] == "unknown-order"
    assert "raw" not in refused["data"]
    (row,) = [row for row in live.lines("dead-letters", "--code", "unknown-order") if row["input_id"] == "late"]
    assert row["topic"] == "dispatch.actions"
    assert row["retries"] == 0
    assert live.lines("dead-letters", "--since", "2100-01-01T00:00:00Z") == []
    asked = live("dead-letters", "--retry", "--code", "unknown-order")
    assert asked.exit_code == 2
    assert "say --yes" in asked.stderr
    (counts,) = live.lines("dead-letters", "--retry", "--yes", "--code", "unknown-order")
    assert counts["sent_again"] >= 1
    deadline_s = monotonic() + 60
    while not [row for row in live.lines("dead-letters") if row["input_id"] == "late" and row["retries"] == 1]:
        assert monotonic() < deadline_s
    (counts,) = live.lines("dead-letters", "--retry", "--yes", "--code", "unknown-order")
    assert counts["sent_again"] == counts["letters"] - counts["left_alone"] < counts["letters"]


def test_garbage_can_be_sent_on_purpose_and_becomes_a_dead_letter(live, opened):
    said = live.lines(
        "publish", "-", "--no-check", "--topic", "requests", "--wait", WAIT_S, stdin="name: Li Lei\n", code=1
    )
    (refused,) = _heard(said, "input.refused")
    assert refused["data"]["code"] == "not-json"
    assert "Li Lei" not in live("dead-letters").output


def test_the_roster_is_published_and_repeating_it_is_harmless(live, opened):
    first = live("roster", "publish", "--dry-run", "--from", "2100-03-01", "--days", "2")
    again = live("roster", "publish", "--dry-run", "--from", "2100-03-01", "--days", "2")
    assert first.exit_code == 0
    assert first.output == again.output
    events = [json.loads(line) for line in first.stdout.splitlines()]
    assert {event["type"] for event in events} == {"dispatch.technician.updated.v1", "dispatch.shift.planned.v1"}
    assert all("name" not in event["data"] for event in events)
    (done,) = live.lines("roster", "publish", "--days", "1")
    assert done["technicians"] > 0
    listed = live("publish", "-", "--json", "--wait", WAIT_S, stdin=first.stdout.splitlines()[0])
    assert listed.exit_code in {0, 1}


def test_a_person_is_shown_then_erased(live, opened):
    (story,) = live.lines("order", opened[0])
    (person,) = live.lines("person", story["reporter"])
    assert person["name"] == "Li Lei"
    assert live("erase", story["reporter"]).exit_code == 0
    gone = live("person", story["reporter"])
    assert gone.exit_code == 1
    assert "erased" in gone.stderr
    assert live("erase", story["reporter"]).exit_code == 1


def test_log_and_store_agree(live, opened):
    rows = live.lines("rebuild", "--check")
    assert {row["result"] for row in rows} == {"same"}
    assert "campus:north" in {row["territory"] for row in rows}


def test_tables_are_drawn_on_a_terminal(live, opened, monkeypatch):
    monkeypatch.setitem(os.environ, "FORCE_COLOR", "1")
    assert "\x1b[" in live("topics").output


def test_a_lane_is_the_one_that_workers_use():
    from dispatch.app import partition_of

    keys = [f"campus:{name}" for name in ("north", "south", "east", "西区")]
    assert [lane_of(key, 8) for key in keys] == [partition_of(key, 8) for key in keys]


def test_what_the_desk_corrects_on_the_log_is_learnt_from_it(live, opened, tmp_path):
    text = "北区17号楼611水龙头滴水"
    said = live.lines("publish", "-", "--wait", WAIT_S, stdin=_report(text=text, id="learn-1"))
    (accepted,) = [line for line in said if line.get("accepted")]
    (order_id,) = accepted["order_ids"]
    desk = {"work_order_id": order_id, "actor": {"id": "dora", "role": "dispatcher"}, "trade": "masonry"}
    said = live.lines("publish", "-", "--wait", WAIT_S, stdin=_line("action.reclassify", {**desk, "reason": "wall"}))
    assert _heard(said, "work-order.reclassified")

    (found,) = live.lines("train", "--from-log", "--examples", tmp_path / "lessons.jsonl")
    assert found["orders"]["corrected"] == 1
    lessons = [json.loads(line) for line in (tmp_path / "lessons.jsonl").read_text("utf-8").splitlines()]
    (lesson,) = [each for each in lessons if each["basis"] == "corrected"]
    assert (lesson["text"], lesson["said"]["trade"], lesson["label"]["trade"]) == (text, "plumbing", "masonry")
    assert lesson["model_version"].startswith("triage-")
    (same,) = live.lines("classify", "--compare", "shipped", "shipped", "--from-log")
    assert same["reports"] >= 2
    assert same["changed"] == 0
