"""Senders, what they send, and servers for them to send to."""

import contextlib
import ssl

import trustme
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


def own_authority(folder):
    """TLS for a server on this machine; the file of the authority that vouches for it, which nobody knows."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    return tls, str(folder / "ca.pem")


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
