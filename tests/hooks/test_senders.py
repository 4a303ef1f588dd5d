"""Webhooks: signatures as receivers check them, receivers that misbehave, and secrets."""

import asyncio
import base64
import json
import time

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from dispatch.errors import ConfigError
from dispatch.hooks.http import MAX_ANSWER_BYTES
from dispatch.hooks.senders import NOBODY, make_senders
from dispatch.hooks.signing import key_of
from dispatch.models.hooks import HooksDocument
from tests.hooks.sending import SOMEBODY, one, own_authority, sender_of, served
from tests.support.receiver import Receiver, local_hook, new_secret

# webhooks -----------------------------------------------------------------------------------------------------


async def test_the_official_package_accepts_any_of_the_secrets_and_no_other():
    old, new = new_secret(), new_secret()
    heard = []

    async def hear(request):
        heard.append((await request.read(), dict(request.headers), request.path))
        return web.Response(status=200)

    async with served(hear) as port:
        sender = sender_of(local_hook(port, "NEW", "OLD"), NEW=new, OLD=old)
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        outcome = await sender.send([one(traceparent=trace)], SOMEBODY)
        await sender.close()
    assert (outcome.kind, outcome.status) == ("ok", 200)
    ((body, headers, path),) = heard
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(new_secret()).verify(body, headers)
    assert path == "/hooks/technician/t1"
    assert headers["traceparent"] == trace
    said = json.loads(body)
    assert said["type"] == "dispatch.work-order.offered.v1"
    assert said["data"]["message"] == {"locale": "zh", "title": "新派单", "text": "您好\n水龙头坏了"}
    assert said["data"]["display_no"] == "N-1"


async def test_a_second_try_has_the_same_id_and_bytes():
    async with Receiver() as receiver:
        sender = sender_of(local_hook(receiver.port, "A"), A=receiver.secret)
        for _ in range(2):
            assert (await sender.send([one()], NOBODY)).kind == "ok"
        await sender.close()
        assert (len(receiver.effects), receiver.repeated, receiver.differing) == (1, 1, 0)


async def _hang(_request):
    await asyncio.sleep(30)


async def _drip(request):
    response = web.StreamResponse(status=200)
    await response.prepare(request)
    for _ in range(100):
        await response.write(b".")
        await asyncio.sleep(0.1)
    return response


async def _flood(_request):
    return web.Response(status=500, body=bytes(10 * 1024 * 1024))


async def _reset(request):
    request.transport.abort()
    return web.Response()


async def _redirect(_request):
    return web.Response(status=307, headers={"Location": "http://169.254.169.254/"})


BAD = {
    "it hangs": (_hang, "retry", "timeout"),
    "it answers byte by byte": (_drip, "retry", "timeout"),
    "it answers with 10 MB": (_flood, "retry", 500),
    "it resets": (_reset, "retry", "ServerDisconnectedError"),
    "it redirects": (_redirect, "retry", 307),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_receiver_that_misbehaves_is_an_outcome_in_time(name):
    handler, kind, status = BAD[name]
    async with served(handler) as port:
        sender = sender_of(local_hook(port, "A", timeout="1s"), A=new_secret())
        began_s = time.monotonic()
        outcome = await sender.send([one()], NOBODY)
        await sender.close()
    assert (outcome.kind, outcome.status) == (kind, status)
    assert time.monotonic() - began_s < 2.5


async def test_no_more_of_an_answer_is_read_than_is_looked_at():
    async with served(_flood) as port:
        sender = sender_of(local_hook(port, "A"), A=new_secret())
        answer = await sender.http.post(f"http://127.0.0.1:{port}/", b"", {})
        await sender.close()
    assert len(answer.body) == MAX_ANSWER_BYTES


async def test_a_bad_certificate_is_not_spoken_to_and_a_named_authority_is(tmp_path):
    tls, cafile = own_authority(tmp_path)
    heard = []

    async def hear(request):
        heard.append(await request.read())
        return web.Response()

    async with served(hear, tls) as port:
        hook = local_hook(port, "A") | {"url": f"https://127.0.0.1:{port}/x"}
        for more, expected in (({}, "ClientConnectorCertificateError"), ({"cafile": cafile}, 200)):
            sender = sender_of(hook | more, A=new_secret())
            outcome = await sender.send([one()], NOBODY)
            await sender.close()
            assert outcome.status == expected
    assert len(heard) == 1


async def test_a_name_that_leads_inside_is_refused_for_good():
    async def lookup(_host, port):
        return [(2, 1, 6, "", ("10.0.0.1", port))]

    hook = {"kind": "webhook", "url": "https://inside.example/x", "secrets": ["A"]}
    document = HooksDocument.model_validate({"hooks": {"app": hook}})
    sender = make_senders(document, {"A": new_secret()}, lookup)["app"]
    outcome = await sender.send([one()], NOBODY)
    await sender.close()
    assert (outcome.kind, outcome.status) == ("refused", "forbidden-address")


# secrets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["", "whsec_AA", "whsec_c2hvcnQ=", "a" * 200, "whsec_" + "é" * 40])
def test_a_secret_that_is_none_is_refused_by_name(secret):
    with pytest.raises(ConfigError, match="SOME_SECRET") as error:
        sender_of(local_hook(1, "SOME_SECRET"), SOME_SECRET=secret)
    assert not secret or secret not in str(error.value)


def test_keys_may_be_written_without_prefix_and_padding():
    raw = bytes(range(32))
    text = base64.b64encode(raw).decode()
    assert key_of(text) == key_of(f"whsec_{text}") == key_of(text.rstrip("=")) == raw
