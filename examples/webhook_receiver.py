"""A webhook receiver: verifies Standard Webhooks signatures, drops repeated ids, and answers an offer.

    export WEBHOOK_SECRET=whsec_…       # the one that config/hooks.yaml names for this hook
    python examples/webhook_receiver.py --port 8787 --seen seen.db [--kafka 127.0.0.1:9092]

The sender repeats a message whose answer was lost, with the same `webhook-id`: what was seen is written down, so that
one message has one effect, also after a restart. With --kafka an offer or an assignment is accepted for its technician.
"""

import argparse
import asyncio
import contextlib
import os
import sqlite3
from typing import Any

from aiohttp import web
from aiokafka import AIOKafkaProducer
from standardwebhooks import Webhook, WebhookVerificationError
from streams import DONE, NOTHING, arguments, producer_for, publish, run, say

ASKED = ("dispatch.work-order.offered.v1", "dispatch.work-order.assigned.v1")
MOST_BYTES = 1024 * 1024


class Receiver:
    """Takes messages in; ``heard`` counts those that had an effect."""

    def __init__(self, secret: str, seen: str, producer: AIOKafkaProducer | None) -> None:
        """``seen``: an SQLite file, or ``:memory:``."""
        self.heard = 0
        self.news = asyncio.Event()
        self._webhook = Webhook(secret)
        self._one_at_a_time = asyncio.Lock()
        self._producer = producer
        self._seen = sqlite3.connect(seen, isolation_level=None)
        self._seen.execute("create table if not exists seen (id text primary key)")

    async def post(self, request: web.Request) -> web.Response:
        """204 for what was understood, now or before; 401 for what somebody else sent, or sent long ago."""
        body = await request.read()
        try:
            message = self._webhook.verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            say(f"refused: {error}")
            return web.Response(status=401)
        message_id = request.headers["webhook-id"]
        async with self._one_at_a_time:
            if self._seen.execute("select 1 from seen where id = ?", (message_id,)).fetchone():
                say(f"repeated {message_id}")
                return web.Response(status=204)
            # Effect first, then the note: a crash in between repeats the effect, whose id is made of the message's.
            await self.hear(message_id, message)
            self._seen.execute("insert into seen values (?)", (message_id,))
        self.heard += 1
        self.news.set()
        return web.Response(status=204)

    async def hear(self, message_id: str, message: dict[str, Any]) -> None:
        """Show it; accept what a technician is asked."""
        data = message["data"]
        words = data.get("message") or {}
        say(f"{message['type']} {data.get('work_order_id', '')} {words.get('title', '')}")
        if self._producer and message["type"] in ASKED:
            action = {
                "work_order_id": data["work_order_id"],
                "assignment_id": data["assignment_id"],
                "actor": {"id": data["technician_id"], "role": "technician"},
            }
            await publish(
                self._producer,
                "dispatch.actions",
                "action.accept",
                action,
                event_id=f"{message_id}:accept",
                source="/examples/webhook-receiver",
                key=data["work_order_id"],
            )


async def main() -> int:
    """0 when at least one message was heard, 1 when none was."""
    parser = arguments(__doc__)
    parser.set_defaults(kafka=None)
    parser.add_argument("--port", type=int, default=8787, help="0 takes a free one")
    parser.add_argument("--seen", default=":memory:", help="an SQLite file of the ids that were heard")
    given = parser.parse_args()
    secret = os.environ.get("WEBHOOK_SECRET")
    if not secret:
        parser.error("set WEBHOOK_SECRET: whsec_ and base64, as the sender has it")
    producer = producer_for(given.kafka) if given.kafka else None
    if producer:
        await producer.start()
    try:
        return await serve(given, Receiver(secret, given.seen, producer))
    finally:
        if producer:
            await producer.stop()


async def serve(given: argparse.Namespace, receiver: Receiver) -> int:
    """Listen until the time is over, or with --once until the first message."""
    app = web.Application(client_max_size=MOST_BYTES)
    app.router.add_post("/{receiver:.*}", receiver.post)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", given.port).start()
        say(f"listening on http://127.0.0.1:{runner.addresses[0][1]}/")
        stop = receiver.news if given.once else asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), given.for_s)
    finally:
        await runner.cleanup()
    return DONE if receiver.heard else NOTHING


if __name__ == "__main__":
    run(main)
