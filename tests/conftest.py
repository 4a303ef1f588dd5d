"""What every test may use: real servers, one pair for the whole session."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dispatch.embedded import embedded


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


TOGETHER = frozenset({"agents", "cli", "seeing"})
"""Folders whose tests share servers and an engine: one process runs all of a folder, then ends them."""


@pytest.hookimpl(tryfirst=True)  # what shares the tests out reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups of tests for processes to share, those with slow tests first, so that all end at about the same time."""
    groups = {item: item.path.parent if item.path.parent.name in TOGETHER else item.path for item in items}
    slow = {groups[item] for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: groups[item] not in slow)
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(str(group.relative_to(Path(__file__).parent))))
