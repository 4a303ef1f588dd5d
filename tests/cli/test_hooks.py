"""`dispatch hooks` and `dispatch deliveries`: what a hook answers, who would be told, and who was."""

import json
import socket
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import pytest
import yaml

from dispatch.cli.hooks import at_work
from dispatch.rules.state_staff import Shift, Technician
from tests.support.receiver import hooks_config, local_hook, new_secret

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_hook_is_tried_once_and_its_answer_is_told(invoke):
    (told,) = invoke.lines("hooks", "test", "log")
    assert (told["hook"], told["outcome"]) == ("log", "ok")


def test_an_unknown_hook_is_named_with_those_that_there_are(invoke):
    result = invoke("hooks", "test", "carrier-pigeon")
    assert result.exit_code == 1
    assert "no hook 'carrier-pigeon'" in result.output
    assert "log" in result.output


def test_a_receiver_that_is_not_there_is_told_and_the_exit_code_is_one(invoke, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = hooks_config(
        _config(invoke), tmp_path / "c", hooks={"app": local_hook(port, "APP_SECRET"), "log": {"kind": "log"}}
    )
    monkeypatch.setenv("APP_SECRET", new_secret())
    (told,) = invoke.lines("hooks", "test", "app", "--config", config, code=1)
    assert (told["outcome"], told["status"]) == ("retry", "ClientConnectorError")
    monkeypatch.delenv("APP_SECRET")
    result = invoke("hooks", "test", "app", "--config", config)
    assert "APP_SECRET is not set" in result.output


def _config(invoke):
    from pathlib import Path

    return Path(invoke.environ["DISPATCH_CONFIG"])


def test_the_routes_of_a_type_are_told_without_servers(invoke):
    rows = invoke.lines("hooks", "route", "work-order.offered")
    assert [(row["to"], row["template"]) for row in rows] == [(["technician"], "offered")]
    assert invoke("hooks", "route", "nonsense").exit_code == 1
    assert invoke("hooks", "route", "work-order.offered", "--at", "yesterday").exit_code == 2
    assert invoke("hooks", "route", "work-order.offered", "--at", "2026-03-02T08:00:00").exit_code == 2


def test_who_is_at_work_at_another_time_follows_from_the_plan():
    hour = timedelta(hours=1)
    shifts = (
        Shift(start=NOW, end=NOW + hour, state="started"),
        Shift(start=NOW + 2 * hour, end=NOW + 3 * hour),
        Shift(start=NOW + 4 * hour, end=NOW + 5 * hour, state="absent"),
    )
    people = {"ann": Technician(id="ann", version=1, version_time=NOW, org_id="own", shifts=shifts)}
    for hours, is_there in ((0.5, True), (1.5, False), (2.5, True), (4.5, False)):
        assert (at_work(people, NOW + hours * hour)["ann"].on_shift() is not None) == is_there


def test_faults_of_the_hooks_are_told_with_file_and_line(invoke, tmp_path):
    config = hooks_config(_config(invoke), tmp_path / "c")
    text = (config / "hooks.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    data["templates"]["offered"]["zh"]["title"] = "{dispaly_no}"
    data["routes"][0]["through"] = ["ap"]
    (config / "hooks.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    faults = invoke.lines("check", config, code=1)
    assert {fault["file"] for fault in faults} == {"hooks.yaml"}
    assert all(fault["line"] for fault in faults)
    assert any("dispaly_no" in fault["what"] and "display_no" in fault["expected"] for fault in faults)
    assert any("unknown hook 'ap'" in fault["what"] for fault in faults)


def test_a_wrong_form_of_a_hook_is_told_where_it_stands(invoke, tmp_path):
    config = hooks_config(_config(invoke), tmp_path / "c", hooks={"app": {"kind": "webhook", "secrets": ["A"]}})
    faults = invoke.lines("check", config, code=1)
    assert any("'url' is missing" in fault["what"] for fault in faults), faults
    config = hooks_config(_config(invoke), tmp_path / "d", hooks={"app": {"kind": "fax"}})
    faults = invoke.lines("check", config, code=1)
    assert any("fax" in fault["what"] for fault in faults), faults


@pytest.mark.slow
def test_who_was_told_of_an_order_and_who_would_be(live):
    # an emergency, for anything else would wait for the end of the quiet hours when this is run at night
    report = {"channel": "web", "reporter": {"id": "stu-9"}, "text": "北校区第一教学楼201水管爆裂"}
    line = json.dumps({"type": "request", "data": report}, ensure_ascii=False) + "\n"
    said = live.lines("publish", "-", "--wait", "60", stdin=line)
    (order_id,) = next(one for one in said if one.get("accepted"))["order_ids"]
    opened = next(one for one in said if one.get("type") == "work-order.opened")
    deadline_s = monotonic() + 60
    while not (told := live.lines("deliveries", order_id)) or told[0]["state"] != "succeeded":
        assert monotonic() < deadline_s, told
        sleep(0.5)
    told = [one for one in told if one["event_type"] == "dispatch.work-order.opened.v1"]
    assert told[0]["receiver"].startswith("reporter/s")
    assert [step["state"] for step in told[0]["steps"]] == ["planned", "succeeded"]
    assert "水管爆裂" in told[0]["text"]
    assert "succeeded" in live("deliveries", order_id).output

    (would,) = live.lines("hooks", "route", opened["id"], "--at", "2026-03-02T12:00:00+08:00")
    assert (would["receiver"], would["hooks"]) == (told[0]["receiver"], ["log"])
    (night,) = live.lines("hooks", "route", opened["id"], "--at", "2026-03-02T23:00:00+08:00")
    assert night["when"].startswith("2026-03-02T23:00")
    assert live("hooks", "route", "campus:north:999999").exit_code == 1
