"""What every test may use: real servers, one pair for the whole session."""

import gc
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from dispatch.embedded import embedded

settings.register_profile("untimed", deadline=None)  # a busy machine is slow, and no rule is wrong for that
settings.load_profile("untimed")


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the servers of this session are."""

    kafka: str
    redis: str


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """One Kafka and one Redis for the session; those of DISPATCH_KAFKA and DISPATCH_REDIS if both are set."""
    kafka, redis = os.environ.get("DISPATCH_KAFKA"), os.environ.get("DISPATCH_REDIS")
    if kafka and redis:
        yield Addresses(kafka=kafka, redis=redis)
        return
    with embedded(tmp_path_factory.mktemp("servers")) as running:
        yield Addresses(kafka=running.kafka, redis=running.redis)


KILLING = frozenset({"crash", "embedded", "recovery"})
"""Folders whose tests kill servers, or have an engine end where it stands: what it had open is left open."""
_before: list[pytest.Item] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Connections that died half open are left to the collector, and not to whatever test comes next."""
    if _before and _before.pop().path.parent.name in KILLING:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    _before.append(item)


TOGETHER = frozenset({"agents", "cli", "seeing"})
"""Folders whose tests share servers and an engine: one process runs all of a folder, then ends them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, with all that must run beside them, so that all processes end at about the same time."""
    for item in items:
        if item.path.parent.name in KILLING:
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
    slow = {_group_of(item.nodeid) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: _group_of(item.nodeid) not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Share the tests out by group."""
    return ByGroup(config, log)


class ByGroup(LoadScopeScheduling):
    """One process runs all of a group. What xdist itself calls groups is written where pytest 9.2 no longer reads."""

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(nodeid)


def _group_of(nodeid: str) -> str:
    """The file of a test, or its folder if that is of :data:`TOGETHER`."""
    path = nodeid.partition("::")[0]
    folder = path.rpartition("/")[0]
    return folder if folder.rpartition("/")[2] in TOGETHER else path
