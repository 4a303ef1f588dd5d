"""A chat-completions endpoint on this machine: answers well, or misbehaves as it is told."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from dispatch.models.advice import AdviceDocument

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]
GOOD = {"trade": "plumbing", "urgency": "normal", "kind": "repair", "confidence": 0.75, "reason": "sounds like water"}


def completion(content: Any) -> dict[str, Any]:
    """An answer of the endpoint around what the model says."""
    message = {"role": "assistant", "content": content}
    return {"id": "c1", "object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": {}}


@dataclass
class Model:
    """The endpoint. ``says`` is what the model answers; ``behave`` answers instead of it."""

    says: Any = field(default_factory=lambda: json.dumps(GOOD))
    behave: Behaviour | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    tls: Any = None
    port: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._hear)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(json.loads(await request.read()))
        self.headers.append(dict(request.headers))
        if self.behave is not None:
            return await self.behave(request)
        return web.json_response(completion(self.says))

    def document(self, **more: Any) -> AdviceDocument:
        """What a config says of it."""
        return AdviceDocument.model_validate(self.config() | more)

    def config(self) -> dict[str, Any]:
        """The same as the file has it."""
        return {
            "name": "house",
            "url": f"http://127.0.0.1:{self.port}/v1/chat/completions",
            "model": "larger",
            "allow": ["127.0.0.1"],
            "ports": [self.port],
            "timeout": "1s",
        }


async def hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(status=200)
    await response.prepare(request)
    for each in json.dumps(completion(json.dumps(GOOD))).encode():
        await response.write(bytes([each]))
        await asyncio.sleep(0.1)
    return response


async def flood(_request: web.Request) -> web.StreamResponse:
    return web.json_response(completion("x" * 10 * 1024 * 1024))


async def bomb(_request: web.Request) -> web.StreamResponse:
    return web.Response(text='{"choices":' + "[" * 50_000)


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def redirect(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": "http://169.254.169.254/v1/chat/completions"})


def answering(status: int = 200, text: str = "", **headers: str) -> Behaviour:
    """Always the same answer; in names of headers ``_`` stands for ``-``."""

    async def behave(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return behave
