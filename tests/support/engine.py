"""The engine in this process, its settings, and its servers made empty."""

import asyncio
import contextlib
import secrets
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable
from pathlib import Path
from time import monotonic
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient

from dispatch.agents.admin import create_topics, topic_incarnations
from dispatch.app import create_app
from dispatch.errors import LaneError
from dispatch.settings import ROLES, Settings
from dispatch.stores.redis import RedisStore, connect
from dispatch.timing import Clock
from dispatch.topics import TOPICS
from tests.support.client import PATIENCE_S

CONFIG = Path(__file__).resolve().parents[2] / "config"
PARTITIONS = 4
STOP_WITHIN_S = 10.0
LINGER_S = 1.0


def settings_for(kafka: str, redis: str, data: Path, **given: Any) -> Settings:
    """Settings with few partitions and a group of their own."""
    common: dict[str, Any] = {
        "kafka": kafka,
        "redis": redis,
        "data": data,
        "config": CONFIG,
        "partitions": PARTITIONS,
        "group": f"g{secrets.token_hex(4)}",
        "session_timeout_ms": 6000,
    }
    return Settings.model_validate({**common, **given})


class _Thread:
    """A loop in a thread of its own: it goes on while tests do not await, as a worker's would."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def end(self) -> None:
        await self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()


async def _cancel_others() -> None:
    """Libraries end what they have begun (a connection in the making) shortly after they are closed; then no more."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=LINGER_S)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


class Engine:
    """One worker in this process, in a thread; it can be stopped and started again."""

    def __init__(
        self, settings: Settings, *, roles: Iterable[Any] = ROLES, clock: Clock | None = None, **more: Any
    ) -> None:
        self.settings = settings
        self.roles = tuple(roles)
        self.clock = clock
        self.more = more
        self.app: Any = None
        self.stopped_in_s = 0.0

    async def start(self) -> Self:
        self._thread = _Thread()
        try:
            await self._thread.run(self._begin())
        except BaseException:
            await self._end()
            raise
        return self

    async def _begin(self) -> None:
        self.app = create_app(self.settings, self.roles, clock=self.clock, **self.more)
        await self.app.start()

    async def stop(self) -> None:
        if self.app is None:
            return
        began_s = monotonic()
        await self._end()
        self.stopped_in_s = monotonic() - began_s

    async def _end(self) -> None:
        app, self.app = self.app, None
        try:
            if app is not None:  # nothing to stop when it could not even be made
                await self._thread.run(asyncio.wait_for(app.stop(), STOP_WITHIN_S + 20))
                # Faust makes a consumer that is never started, with a loop of its own that nobody closes.
                unused = getattr(app._consumer, "_thread", None)
                if unused is not None and not unused.thread_loop.is_closed():
                    unused.thread_loop.close()
        finally:
            await self._thread.end()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def refusal(self, within_s: float = PATIENCE_S) -> LaneError:
        """Start, and be refused: the LaneError, whether it came at once or from a lane."""
        try:
            await self.start()
        except LaneError as error:
            return error
        try:
            async with asyncio.timeout(within_s):
                while not self.app.crashed:  # noqa: ASYNC110 -- mode has no event to wait for
                    await asyncio.sleep(0.05)
            reason = self.app.crash_reason
            assert isinstance(reason, LaneError), reason
            return reason
        finally:
            with contextlib.suppress(LaneError):
                await self._end()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()


@contextlib.asynccontextmanager
async def store_of(settings: Settings) -> AsyncIterator[RedisStore]:
    """The store, beside the engine's own."""
    redis = connect(settings.redis)
    try:
        yield RedisStore(redis)
    finally:
        await redis.aclose()


async def forget_everything(settings: Settings) -> None:
    """Empty Redis, and have all topics anew."""
    redis = connect(settings.redis)
    await redis.flushall()
    await redis.aclose()
    client = settings.kafka_client()
    await delete_topics(settings, list(TOPICS))
    await create_topics(client, settings.partitions)


async def delete_topics(settings: Settings, names: list[str]) -> None:
    """Delete topics and wait until they are gone."""
    client = settings.kafka_client()
    admin = AIOKafkaAdminClient(**client)
    await admin.start()
    try:
        there = await topic_incarnations(client, names)
        if there:
            await admin.delete_topics(sorted(there))
        async with asyncio.timeout(PATIENCE_S):
            while await topic_incarnations(client, names):  # noqa: ASYNC110 -- the broker has none
                await asyncio.sleep(0.05)
    finally:
        await admin.close()
