"""A TCP proxy between a client and a server that can lose a reply: the call is done, and the client never hears."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

CHUNK = 65_536


class LossyProxy:
    """Passes bytes on. After `lose_replies(n)` the next n replies are swallowed and their connections cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._to_lose = 0
        self.lost = 0
        self.connections = 0

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.sockets[0].getsockname()[1]

    def lose_replies(self, count: int) -> None:
        self._to_lose = count

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        up = asyncio.create_task(self._pass(reader, up_writer))
        down = asyncio.create_task(self._answer(up_reader, writer))
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        for each in (up_writer, writer):
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self._to_lose:
                self._to_lose -= 1
                self.lost += 1
                return
            writer.write(data)
            await writer.drain()
