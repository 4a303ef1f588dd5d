"""A short run of deliveries under kills; the long one is `python -m tests.crash.deliveries`."""

import asyncio

import pytest

from tests.crash.deliveries import main_run, say
from tests.crash.deliveries_verdict import broken_rules


@pytest.mark.slow
def test_everybody_hears_of_everything_once_although_workers_die(tmp_path):
    found = asyncio.run(main_run(tmp_path, 1200, 0.3, 2, 7, say))
    assert broken_rules(found, 2) == []
