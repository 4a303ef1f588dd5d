"""Each benchmark in miniature, on its own servers: it runs to its end, loses nothing, reports. No time is judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPORTED = {"name", "ratio", "engine", "baseline", "unit", "runs"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("throughput", ("--orders", "400", "--rounds", "1", "--window", "200")),
        ("poison", ("--orders", "400", "--rounds", "1", "--window", "200")),
        ("latency", ("--seconds", "2", "--rounds", "1", "--capacity", "100")),
    ],
)
def test_a_benchmark_runs_to_its_end_and_reports(name, options):
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert told.keys() >= REPORTED
    assert told["name"] == name
    assert told["engine"] > 0
    assert told["baseline"] > 0
