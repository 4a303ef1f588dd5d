"""The worker as a process: it starts, works, and stops when told to."""

from time import monotonic

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def worker(fresh, live, make_worker):
    """A second worker beside the one that is at work; its lanes are few, so it may get none."""
    return make_worker({**fresh.environ, "DISPATCH_INSTANCE": "second"})


def test_it_logs_json_and_stops_within_ten_seconds_of_sigterm(worker):
    worker.wait_for(lambda said: any(line["event"] == "ready" for line in said))
    began_s = monotonic()
    assert worker.stop() == 0
    assert monotonic() - began_s < 10


def test_it_says_what_is_wrong_with_its_config_and_ends(fresh, make_worker, tmp_path):
    worker = make_worker({**fresh.environ, "DISPATCH_CONFIG": str(tmp_path)})
    assert worker.end() == 1
    (line,) = worker.said()
    assert "site.yaml: the file is missing" in line["error"]


def test_it_names_the_server_that_does_not_answer(nowhere, make_worker):
    worker = make_worker(nowhere.environ)
    assert worker.end() == 3
    assert "set DISPATCH_REDIS" in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()
