"""A receiver that answers badly as often as it is told."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any

from aiohttp import web

from tests.support.receiver import Receiver


class Faulty:
    """Answers badly, in every way that the network has; some of them after having taken the message."""

    def __init__(self, receiver: Receiver, rate: float, seed: int) -> None:
        self.receiver = receiver
        self.rate = rate
        self.rng = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.ways = (
            self.error, self.busy, self.reset, self.hang, self.drip, self.flood, self.redirect,
            self.taken_then_reset, self.taken_then_error,
        )  # fmt: skip

    async def __call__(self, request: web.Request, said: dict[str, Any]) -> web.StreamResponse | None:
        if self.rng.random() >= self.rate:
            return None
        way = self.rng.choices(self.ways, [6, 3, 3, 1, 1, 1, 2, 4, 4])[0]
        self.done[way.__name__] += 1
        return await way(request, said)

    async def error(self, _request: web.Request, _said: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=self.rng.choice((500, 502, 503, 504)))

    async def busy(self, _request: web.Request, _said: dict[str, Any]) -> web.StreamResponse:
        silly = self.rng.choices(
            ("-5", "soon", "1e9", "0", "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT"), [9, 9, 9, 9, 1, 1]
        )[0]
        return web.Response(status=429, headers={"Retry-After": silly})

    async def reset(self, request: web.Request, _said: dict[str, Any]) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def hang(self, _request: web.Request, _said: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(4)
        return web.Response(status=500)

    async def drip(self, request: web.Request, _said: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        with suppress(ConnectionResetError):  # whoever listens has had enough
            for _ in range(40):
                await response.write(b".")
                await asyncio.sleep(0.1)
        return response

    async def flood(self, _request: web.Request, _said: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=500, body=bytes(10 * 1024 * 1024))

    async def redirect(self, request: web.Request, _said: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{self.receiver.port}/elsewhere"})

    async def taken_then_reset(self, request: web.Request, said: dict[str, Any]) -> web.StreamResponse:
        await self.receiver._take(request.headers["webhook-id"], await request.read(), said)
        return await self.reset(request, said)

    async def taken_then_error(self, request: web.Request, said: dict[str, Any]) -> web.StreamResponse:
        await self.receiver._take(request.headers["webhook-id"], await request.read(), said)
        return web.Response(status=500)
