"""Somebody's webhook: verifies with the official package, drops repeated ids, and misbehaves as it is told."""

import asyncio
import base64
import json
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

Behaviour = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse | None]]


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Receiver:
    """A server on this machine. ``behave`` may answer instead of it; what it answers has no effect."""

    secret: str = field(default_factory=new_secret)
    behave: Behaviour | None = None
    effects: dict[str, dict[str, Any]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    seen: int = 0
    repeated: int = 0
    unverified: int = 0
    differing: int = 0
    bodies: dict[str, bytes] = field(default_factory=dict)
    port: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._hear)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._news = asyncio.Condition()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen += 1
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.unverified += 1
            return web.Response(status=401)
        said = json.loads(body)
        if self.behave is not None and (answer := await self.behave(request, said)) is not None:
            return answer
        await self._take(request.headers["webhook-id"], body, said)
        return web.Response(status=204)

    async def _take(self, message_id: str, body: bytes, said: dict[str, Any]) -> None:
        if message_id in self.effects:
            self.repeated += 1
            self.differing += self.bodies[message_id] != body
            return
        async with self._news:
            self.effects[message_id] = said
            self.bodies[message_id] = body
            self.order.append(message_id)
            self._news.notify_all()

    async def heard(self, kind: str, within_s: float = 60.0, **facts: Any) -> dict[str, Any]:
        """The first message of a type with these facts in its data."""
        wanted = f"dispatch.{kind}.v1"

        def found() -> dict[str, Any] | None:
            return next(
                (
                    one
                    for one in self.effects.values()
                    if one["type"] == wanted and all(one["data"].get(name) == value for name, value in facts.items())
                ),
                None,
            )

        deadline_s = time.monotonic() + within_s
        while (one := found()) is None:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"no {kind} with {facts}; heard {[each['type'] for each in self.effects.values()]}"
            async with self._news:
                try:
                    await asyncio.wait_for(self._news.wait(), min(left_s, 1.0))
                except TimeoutError:
                    continue
        return one


def hooks_config(source: Path, folder: Path, **changes: Any) -> Path:
    """The config folder ``source`` with another ``hooks.yaml``: its keys replaced by ``changes``."""
    shutil.copytree(source, folder)
    data = yaml.safe_load((folder / "hooks.yaml").read_text("utf-8"))
    (folder / "hooks.yaml").write_text(yaml.safe_dump(data | changes, allow_unicode=True, sort_keys=False), "utf-8")
    return folder


def local_hook(port: int, *secrets_: str, path: str = "hooks/{receiver}", **more: Any) -> dict[str, Any]:
    """A webhook on this machine, which the config allows by name."""
    return {
        "kind": "webhook",
        "url": f"http://127.0.0.1:{port}/{path}",
        "secrets": list(secrets_),
        "allow": ["127.0.0.1"],
        "ports": [port],
        **more,
    }
