"""Senders, what they send, and servers for them to send to."""

import contextlib

from aiohttp import web

from dispatch.hooks.senders import NAME_MARK, Person, make_senders, secret_names
from dispatch.models.hooks import HooksDocument
from dispatch.settings import read_secrets
from tests.hooks.test_delivery import made

SOMEBODY = Person(name="王小明", phone="13812345678", email="wang@example.edu")


def one(**more):
    return made(title=f"新派单 {NAME_MARK}", text=f"{NAME_MARK} 您好\n水龙头坏了", facts={"display_no": "N-1"}, **more)


def sender_of(hook, **secrets):
    document = HooksDocument.model_validate({"hooks": {"app": hook}})
    return make_senders(document, read_secrets(secret_names(document), secrets))["app"]


@contextlib.asynccontextmanager
async def served(handler, tls=None):
    """A server on this machine that has ``handler`` for every path; its port."""
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
