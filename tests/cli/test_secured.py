"""Everything by TLS and passwords: on a real broker with SASL_SSL, and a real Redis with a password behind TLS."""

import gc
import json

import pytest
import trustme

from dispatch.errors import ConfigError
from dispatch.settings import read_settings
from tests.support.secured import secured

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with secured(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture(scope="module")
def environ(guarded, tmp_path_factory, invoke):
    data = str(tmp_path_factory.mktemp("secured-data"))
    return {**invoke.environ, **guarded.environ, "DISPATCH_DATA": data, "DISPATCH_PARTITIONS": "2"}


def _event(kind, data):
    return json.dumps({"type": kind, "data": data}, ensure_ascii=False) + "\n"


def test_a_worker_runs_one_order_through_by_sasl_and_tls(environ, invoke, make_worker):
    run = type(invoke)(environ)
    assert run("topics", "--create").exit_code == 0
    worker = make_worker(environ)
    worker.wait_for(lambda said: sum(line["event"] == "lane taken" for line in said) == 2)
    person = {"id": "t1", "version": 1, "org_id": "in", "home_territory": "north"}
    person |= {"skills": [{"trade": "plumbing", "level": 5}], "capacity": {"open": 9}}
    shift = {"technician_id": "t1", "start": "2020-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}
    run.lines("publish", "-", "--wait", "30", stdin=_event("technician.updated", person))
    run.lines("publish", "-", "--wait", "30", stdin=_event("shift.started", shift))
    request = {"channel": "web", "reporter": {"id": "stu-7"}, "text": "3号宿舍楼402水龙头漏水"}
    said = run.lines("publish", "-", "--wait", "60", stdin=_event("request", request))
    (offered,) = [line for line in said if line.get("type") == "work-order.offered"]
    (accepted,) = [line for line in said if line.get("accepted")]
    (order_id,) = accepted["order_ids"]
    actor = {"id": "t1", "role": "technician"}
    leg = {"work_order_id": order_id, "actor": actor}
    told = run.lines("publish", "-", "--wait", "30", stdin=_event("action.accept", leg))
    (shown,) = run.lines("order", order_id)
    assert offered
    assert [line.get("type") for line in told].count("work-order.accepted") == 1
    assert shown["state"] == "accepted"
    assert worker.stop() == 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"DISPATCH_KAFKA_PASSWORD": "wrong"}, ("wrong name or password", "DISPATCH_KAFKA_PASSWORD")),
        ({"DISPATCH_KAFKA_USERNAME": "nobody"}, ("wrong name or password", "DISPATCH_KAFKA_USERNAME")),
        ({"DISPATCH_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}, ("mechanism", "DISPATCH_KAFKA_SASL_MECHANISM")),
        ({"DISPATCH_KAFKA_CAFILE": "OTHER"}, ("certificate", "DISPATCH_KAFKA_CAFILE")),
    ],
)
def test_what_kafka_refuses_is_said_with_the_variable_to_set(environ, invoke, tmp_path, changed, words):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    changed = {name: str(tmp_path / "other.pem") if value == "OTHER" else value for name, value in changed.items()}
    result = type(invoke)({**environ, **changed})("topics")
    assert result.exit_code == 3, result.output
    (line,) = result.stderr.splitlines()
    for word in words:
        assert word in line
    assert "wrong," not in line
    assert "kafka-s3cret" not in result.output


# asyncio drops the transport of a TLS handshake that failed without closing it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        ({"DISPATCH_REDIS_PASSWORD": "wrong"}, "DISPATCH_REDIS_PASSWORD"),
        ({"DISPATCH_REDIS_PASSWORD": ""}, "DISPATCH_REDIS_PASSWORD"),
        ({"DISPATCH_REDIS_CAFILE": ""}, "DISPATCH_REDIS_CAFILE"),
    ],
)
def test_what_redis_refuses_is_said_with_the_variable_to_set(environ, invoke, changed, variable):
    result = type(invoke)({**environ, **changed})("orders")
    assert result.exit_code == 3, result.output
    (line,) = result.stderr.splitlines()
    assert f"set {variable}" in line
    gc.collect()


def test_a_worker_with_a_wrong_password_ends_and_says_so(environ, make_worker):
    worker = make_worker({**environ, "DISPATCH_KAFKA_PASSWORD": "wrong"})
    assert worker.end() == 3
    said = worker.log.read_text()
    assert "set DISPATCH_KAFKA_USERNAME and DISPATCH_KAFKA_PASSWORD" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DISPATCH_KAFKA_SECURITY": "SASL_SSL"}, "DISPATCH_KAFKA_USERNAME: Value error, needed with SASL_SSL"),
        (
            {"DISPATCH_KAFKA_SECURITY": "SASL_PLAINTEXT", "DISPATCH_KAFKA_USERNAME": "d"},
            "DISPATCH_KAFKA_PASSWORD: Value error, needed with SASL_PLAINTEXT",
        ),
        ({"DISPATCH_KAFKA_CAFILE": "/no/such.pem"}, "DISPATCH_KAFKA_CAFILE: Value error, no such file: /no/such.pem"),
        ({"DISPATCH_REDIS_CAFILE": __file__}, "rediss://"),
    ],
)
def test_half_a_setting_is_refused_at_the_start_by_name(environ, words):
    with pytest.raises(ConfigError) as caught:
        read_settings(environ)
    assert words in str(caught.value)
