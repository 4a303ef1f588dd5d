"""Faust as a host: it runs agents, services and supervision; it never talks to Kafka itself.

Faust's own consumer can lose events on a crash, so that its Kafka parts are switched off here, and a
:class:`~dispatch.agents.feed.Feed` carries batches into channels instead.
"""

from collections.abc import Iterable
from pathlib import Path

import faust
from faust.app.base import BootStrategy
from mode.supervisors import CrashingSupervisor
from mode.types import ServiceT


class _HostOnly(BootStrategy):
    """Starts sensors and agents: nothing of Kafka, no tables, no web server."""

    enable_kafka = False
    enable_kafka_consumer = False
    enable_kafka_producer = False

    def server(self) -> Iterable[ServiceT]:
        services: Iterable[ServiceT] = self._chain(self.sensors(), self.agents())
        return services


class HostApp(faust.App):
    """A Faust app whose agents listen to channels that feeds fill."""

    BootStrategy = _HostOnly

    async def on_shutdown(self) -> None:
        """Close the event loop of the consumer thread that Faust makes though it is never used."""
        await super().on_shutdown()
        thread = getattr(self._consumer, "_thread", None)
        if thread is not None and not thread.thread_loop.is_running():
            thread.thread_loop.close()

    async def _wait_for_table_recovery_completed(self) -> bool:
        return False


def make_host(name: str, folder: Path) -> HostApp:
    """An app that ends its process when an agent breaks, rather than limp on. Its pages are ours, not Faust's."""
    folder.mkdir(parents=True, exist_ok=True)
    return HostApp(
        name,
        broker="kafka://127.0.0.1:1",
        store="memory://",
        datadir=str(folder / "faust"),
        agent_supervisor=CrashingSupervisor,
        stream_wait_empty=False,
        web_enabled=False,
    )
