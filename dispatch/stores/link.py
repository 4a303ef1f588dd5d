"""One connection to Redis that all tasks share: calls go out as they come, and their answers come back in order.

redis-py makes the connection (addresses, TLS, passwords). Its asyncio client lends a connection for each call and
awaits several times for each answer, which costs a worker of small batches more than Redis itself does.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import (
    BusyLoadingError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

ANSWER_WITHIN_S = 10.0
ERRORS: dict[str, type[Exception]] = {
    "LOADING": BusyLoadingError,
    "MASTERDOWN": MasterDownError,
    "NOSCRIPT": NoScriptError,
    "OOM": OutOfMemoryError,
    "READONLY": ReadOnlyError,
}
"""What the first word of an error reply says; any other is a ResponseError."""


def raised(replies: list[Any]) -> list[Any]:
    """The replies; the first of them that is an error is raised."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def _error(text: str) -> Exception:
    return ERRORS.get(text.partition(" ")[0], ResponseError)(text)


class _Wire(asyncio.Protocol):
    """What is under way on one connection. ``before`` is the protocol that made it, which must hear of its end."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.broken = False
        self._transport = transport
        self._before = transport.get_protocol()
        self._waiting: deque[tuple[asyncio.Future[list[Any]], int, asyncio.TimerHandle]] = deque()
        self._replies: list[Any] = []
        self._reader = hiredis.Reader(replyError=_error)
        transport.set_protocol(self)

    def send(self, commands: Sequence[tuple[Any, ...]]) -> "asyncio.Future[list[Any]]":
        """Send commands; their replies, errors in their places."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()
        late = loop.call_later(ANSWER_WITHIN_S, self._fail, RedisTimeoutError("Redis does not answer"))
        self._waiting.append((answer, len(commands), late))
        self._transport.write(b"".join([hiredis.pack_command(command) for command in commands]))
        return answer

    def data_received(self, data: bytes) -> None:
        """Hand replies over to who asked, in order."""
        reader, replies = self._reader, self._replies
        reader.feed(data)
        while (reply := reader.gets()) is not False:
            replies.append(reply)
            answer, wanted, late = self._waiting[0]
            if len(replies) < wanted:
                continue
            self._waiting.popleft()
            late.cancel()
            self._replies = []
            if not answer.done():
                answer.set_result(replies)
            replies = self._replies

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told; whether Redis did what they asked is not known."""
        self._before.connection_lost(exc)
        self._fail(RedisConnectionError(f"the connection to Redis was lost: {exc or 'closed'}"))

    def _fail(self, error: Exception) -> None:
        self.broken = True
        self._transport.abort()
        while self._waiting:
            answer, _wanted, late = self._waiting.popleft()
            late.cancel()
            if not answer.done():
                answer.set_exception(error)


class Link:
    """Calls over one connection of a pool. Nothing is sent twice: who asks decides whether to ask again."""

    def __init__(self, pool: ConnectionPool) -> None:
        """Nothing connects before the first call; closing the pool closes the link."""
        self._pool: Any = pool  # redis-py leaves some of its calls untyped
        self._connection: Any = None
        self._wire: _Wire | None = None
        self._connecting = asyncio.Lock()

    async def call(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The replies to the commands; an error reply stands in its place, as an exception.

        Raises redis-py's ConnectionError and TimeoutError when Redis cannot be asked or does not answer.
        """
        if not commands:
            return []
        wire = self._wire
        if wire is None or wire.broken:
            wire = await self._connect()
        return await wire.send(commands)

    async def _connect(self) -> _Wire:
        async with self._connecting:
            if self._wire is not None and not self._wire.broken:
                return self._wire
            if self._connection is not None:
                old, self._connection = self._connection, None
                await old.disconnect(nowait=True)
                await self._pool.release(old)
            self._connection = await self._pool.get_connection()
            self._wire = _Wire(self._connection._writer.transport)  # noqa: SLF001 -- redis-py has no other way to it
            return self._wire
