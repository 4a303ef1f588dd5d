"""What is deployed beside the engine speaks of metrics, labels and values that exist. No servers."""

import json
from pathlib import Path

import pytest
import yaml

from dispatch.agents.counting_triage import NOBODY
from dispatch.settings import ROLES, Settings
from dispatch.topics import TOPICS
from tests.seeing.promql import aggregations, faults, left, selectors

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/dispatch.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel, target) for panel in PANELS for target in panel["targets"]]
ALERTS = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
EXPRESSIONS = [target["expr"] for _panel, target in TARGETS] + [rule["expr"] for rule in ALERTS]
TRIAGE_OUTCOMES = {"decided", "abstained", "out_of_scope", "letter", "same", "lost", "gained"}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))


# the check itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "text", "wrong"),
    [
        ("sum by (role) (dispatch_lag_records)", "{{role}}", []),
        ("dispatch_lags", "", ["no metric dispatch_lags"]),
        ("1 + 1", "", ["asks for no metric"]),
        ('dispatch_events_total{kind="x"}', "", ["dispatch_events_total has no label kind"]),
        ("sum by (lane) (dispatch_open_orders)", "", ["dispatch_open_orders has no label lane"]),
        ("sum by (role) (dispatch_lag_records)", "{{lane}}", ["shows lane, which is not left"]),
        ("sum(dispatch_lag_records)", "{{ $labels.role }}", ["shows role, which is not left"]),
        (
            "histogram_quantile(0.9, sum by (role) (rate(dispatch_batch_seconds_bucket[5m])))",
            "",
            ["histogram_quantile without le"],
        ),
        ("rate(dispatch_batch_seconds[5m])", "", ["no metric dispatch_batch_seconds"]),
    ],
)
def test_the_check_finds_what_is_wrong(expression, text, wrong):
    assert faults(expression, text) == wrong


def test_an_expression_is_taken_apart():
    expression = (
        'a < on () group_left () max(b_c{x="1", y=~"2|3"}) or sum by (p, q) (rate(d_total[$__rate_interval])) > 3'
    )
    assert selectors(expression) == [("a", {}), ("b_c", {"x": "1", "y": "2|3"}), ("d_total", {})]
    assert list(aggregations(expression)) == [(["p", "q"], "rate(d_total[$__rate_interval])")]
    assert left("dispatch_lag_records > 3") == {"role", "lane", "instance", "job"}


# the dashboard and the alerts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("panel", "target"), TARGETS, ids=[f"{p['title']}-{t['refId']}" for p, t in TARGETS])
def test_a_panel_asks_for_metrics_and_labels_that_exist(panel, target):
    assert faults(target["expr"], target["legendFormat"]) == []
    assert panel["description"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_and_labels_that_exist_and_says_what_to_do(rule):
    assert faults(rule["expr"], *rule["annotations"].values()) == []
    assert rule["labels"]["severity"] in {"page", "warn"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["todo"]


def test_values_that_are_matched_are_values_that_occur():
    known = {
        "role": set(ROLES),
        "topic": set(TOPICS),
        "state": {"open", "half-open", "closed"},
        "outcome": {"attempted", "succeeded", "failed", "dropped", *TRIAGE_OUTCOMES},
        "trade": {NOBODY},
        "on": {"trade", "emergency", "urgency"},
        "job": {config["job_name"] for config in PROMETHEUS["scrape_configs"]},
        "code": {"decide-failed", "kills-the-worker"},
    }
    for expression in EXPRESSIONS:
        for metric, matched in selectors(expression):
            for label, value in matched.items():
                assert set(value.split("|")) <= known[label], (metric, label, value)


def test_every_alert_stands_in_the_operations_page():
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    assert [rule["alert"] for rule in ALERTS if rule["alert"] not in page] == []


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _y in cells) < 24


# compose ------------------------------------------------------------------------------------------------------


def test_every_service_says_whether_it_is_well_and_comes_back():
    for name, service in COMPOSE["services"].items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name


def test_ports_of_the_host_are_loopback_and_workers_can_be_scaled():
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    worker = COMPOSE["services"]["worker"]
    assert worker.keys().isdisjoint({"ports", "container_name", "hostname"})
    assert "DISPATCH_INSTANCE" not in worker["environment"]


def test_the_worker_of_the_compose_file_has_settings_that_exist_and_pages_that_are_scraped():
    environment = COMPOSE["services"]["worker"]["environment"]
    names = {name.removeprefix("DISPATCH_").lower(): value for name, value in environment.items()}
    settings = Settings.model_validate(names)
    (scraped,) = PROMETHEUS["scrape_configs"][0]["dns_sd_configs"]
    assert scraped["names"] == ["worker"]
    assert scraped["port"] == settings.web_port == int(COMPOSE["services"]["worker"]["expose"][0])
    assert f":{settings.web_port}/ready" in COMPOSE["services"]["worker"]["healthcheck"]["test"][-1]


def test_what_compose_mounts_is_there_and_its_volumes_are_declared():
    for service in COMPOSE["services"].values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], mount
    assert PROMETHEUS["rule_files"] == ["alerts.yaml"]
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/dispatch.yaml").read_text("utf-8"))
    mounts = COMPOSE["services"]["grafana"]["volumes"]
    assert any(mount.split(":")[1].startswith(provider["providers"][0]["options"]["path"]) for mount in mounts)


def test_dependencies_are_services_that_tell_their_health():
    for service in COMPOSE["services"].values():
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert other in COMPOSE["services"]
