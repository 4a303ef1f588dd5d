"""Where the technicians hear: one receiver on this machine for webhooks, signed as Standard Webhooks 1.0.

It does what every receiver must: it verifies who speaks, answers at once, and drops ids that it has seen.
"""

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import msgspec
from aiohttp import web

from dispatch.demo.stage import moment
from dispatch.errors import DispatchError
from dispatch.hooks.signing import key_of, sign_webhook
from dispatch.rules.events import short_type
from dispatch.timing import Clock

HOST = "127.0.0.1"
TOLERANCE_S = 300
MOST_BYTES = 1024 * 1024


class Unverified(DispatchError):  # noqa: N818 -- said to people
    """Somebody else spoke to the technicians, or a message was changed on its way."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one webhook said; ``at`` is when it arrived, in domain time, ``receiver`` such as ``technician/n01``."""

    id: str
    type: str
    event_id: str
    receiver: str
    order_id: str
    data: Mapping[str, Any]
    at: datetime

    @property
    def is_late(self) -> bool:
        """Whether an offer's time was over when it arrived."""
        expires_at = self.data.get("expires_at")
        return expires_at is not None and moment(expires_at) <= self.at


def why_refused(key: bytes, headers: Mapping[str, str], body: bytes, now_s: float) -> str | None:
    """What is wrong with a webhook; None when it is signed with ``key`` and not five minutes old.

    ``now_s`` is wall time, as signatures are.
    """
    message_id, sent_s, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not message_id or not (sent_s.isascii() and sent_s.isdigit()):
        return "headers are missing"
    if abs(now_s - int(sent_s)) > TOLERANCE_S:
        return f"sent at {sent_s}, which is not now"
    wanted = sign_webhook([key], message_id, int(sent_s), body).encode()
    if not any(hmac.compare_digest(wanted, one.encode()) for one in signatures.split()):
        return "no signature fits"
    return None


class Receiver:
    """An HTTP server on a free port of the loopback. Each message is told once to whoever ``listener`` is."""

    def __init__(self, secret: str, clock: Clock) -> None:
        """``secret`` as the hook has it: ``whsec_`` and base64. ``clock`` is the domain's."""
        self.port = 0
        self.listener: Callable[[Message], None] | None = None
        self.messages: dict[str, Message] = {}
        self.counts: Counter[str] = Counter()
        self._key = key_of(secret)
        self._clock = clock
        self._digests: dict[str, bytes] = {}
        self._refused: str | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_post("/{receiver:.*}", self._post)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    @property
    def heard_of(self) -> set[str]:
        """The ids of the events that somebody was told of."""
        return {message.event_id for message in self.messages.values()}

    def check(self) -> None:
        """Raise Unverified if something came that nobody here signed."""
        if self._refused is not None:
            raise Unverified(f"a webhook was refused: {self._refused}")

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(status=self.take(request.headers, body, time.time()))

    def take(self, headers: Mapping[str, str], body: bytes, now_s: float) -> int:
        """Take one message in; the HTTP status to answer with. Whatever is wrong with it is kept for :meth:`check`."""
        if (why := why_refused(self._key, headers, body, now_s)) is not None:
            self._refused = why
            return web.HTTPUnauthorized.status_code
        message_id, digest = headers["webhook-id"], hashlib.sha256(body).digest()
        if message_id in self.messages:
            self.counts["repeated"] += 1
            self.counts["differing"] += self._digests[message_id] != digest
            return web.HTTPNoContent.status_code
        message = _message(message_id, body, self._clock.now())
        self.messages[message_id], self._digests[message_id] = message, digest
        self.counts["arrived"] += 1
        self.counts["late"] += message.is_late
        if self.listener is not None:
            self.listener(message)
        return web.HTTPNoContent.status_code


def _message(message_id: str, body: bytes, at: datetime) -> Message:
    said = msgspec.json.decode(body)
    data = said["data"]
    return Message(
        id=message_id,
        type=short_type(said["type"]),
        event_id=data["event_id"],
        receiver=data["receiver"],
        order_id=data["work_order_id"],
        data=data,
        at=at,
    )
