"""What leaves: signatures as receivers check them, robots' codes, mail, and receivers that misbehave."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import time
from email import message_from_bytes, policy
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from aiohttp import web
from standardwebhooks import Webhook

from dispatch.errors import ConfigError
from dispatch.hooks.http import MAX_ANSWER_BYTES
from dispatch.hooks.robots import merged
from dispatch.hooks.senders import NAME_MARK, NOBODY, Person, make_senders, secret_names
from dispatch.hooks.signing import key_of
from dispatch.models.hooks import HooksDocument
from dispatch.settings import read_secrets
from tests.hooks.test_delivery import made
from tests.support.receiver import Receiver, local_hook, new_secret

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
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    heard = []

    async def hear(request):
        heard.append(await request.read())
        return web.Response()

    async with served(hear, tls) as port:
        hook = local_hook(port, "A") | {"url": f"https://127.0.0.1:{port}/x"}
        for more, expected in (({}, "ClientConnectorCertificateError"), ({"cafile": str(tmp_path / "ca.pem")}, 200)):
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


# robots -------------------------------------------------------------------------------------------------------


def robot(kind, port, **more):
    return {
        "kind": kind, "key": "KEY", "base_url": f"http://127.0.0.1:{port}/send?key=", "allow": ["127.0.0.1"],
        "ports": [port], **more,
    }  # fmt: skip


ROBOTS = {
    # kind: the code's name, one for too many, one for never again
    "wecom": ("errcode", 45009, 93000),
    "dingtalk": ("errcode", 130101, 300001),
    "feishu": ("code", 11232, 19001),
}


@pytest.mark.parametrize("kind", ROBOTS)
async def test_a_robot_gets_what_waits_in_one_text_and_its_code_is_understood(kind):
    name, too_many, never = ROBOTS[kind]
    answers = iter([{name: 0}, {name: too_many}, {name: never}, {name: 1}, {}])
    heard = []

    async def hear(request):
        heard.append((request.query, await request.json()))
        return web.json_response(next(answers))

    async with served(hear) as port:
        sender = sender_of(robot(kind, port), KEY="k-1")
        two = [one(), one(event_id="campus:north:8")]
        outcomes = [await sender.send(two, NOBODY) for _ in range(5)]
        await sender.close()
    assert [outcome.kind for outcome in outcomes] == ["ok", "retry", "refused", "retry", "retry"]
    assert outcomes[1].retry_after_s == 60
    assert (sender.per_minute, sender.merges) == (20, 10)
    query, body = heard[0]
    assert query["key"] == "k-1"
    text = body["text"]["content"] if kind != "feishu" else body["content"]["text"]
    assert text.count("水龙头坏了") == 2
    assert NAME_MARK not in text


async def test_dingtalk_and_feishu_sign_as_their_documents_say():
    heard = []

    async def hear(request):
        heard.append((request.url, await request.json()))
        return web.json_response({"errcode": 0, "code": 0})

    async with served(hear) as port:
        for kind in ("dingtalk", "feishu"):
            sender = sender_of(robot(kind, port, secret="SECRET"), KEY="k", SECRET="SEC-1")
            assert (await sender.send([one()], NOBODY)).kind == "ok"
            await sender.close()
    (ding_url, _body), (_url, lark) = heard
    query = {name: values[0] for name, values in parse_qs(urlsplit(str(ding_url)).query).items()}
    text = f"{query['timestamp']}\nSEC-1"
    assert query["sign"] == base64.b64encode(hmac.new(b"SEC-1", text.encode(), hashlib.sha256).digest()).decode()
    key = f"{lark['timestamp']}\nSEC-1".encode()
    assert lark["sign"] == base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
    assert abs(int(lark["timestamp"]) - time.time()) < 60
    assert len(query["timestamp"]) == 13


def test_a_merged_text_is_never_longer_than_a_robot_takes():
    many = [made(event_id=f"e{n}", title=f"标题{n}", text="长" * 500) for n in range(10)]
    for most in (20_000, 2_048, 100):
        text = merged(many, most)
        assert len(text.encode()) <= most
        assert text.startswith("标题0")


# text messages, mail ------------------------------------------------------------------------------------------


async def test_an_sms_gateway_gets_number_and_text_and_without_a_number_nothing():
    heard = []

    async def hear(request):
        heard.append(await request.json())
        return web.Response(status=202)

    async with served(hear) as port:
        hook = {"kind": "sms", "url": f"http://127.0.0.1:{port}/", "secrets": ["A"]}
        sender = sender_of(hook | {"allow": ["127.0.0.1"], "ports": [port]}, A=new_secret())
        assert (await sender.send([one()], SOMEBODY)).kind == "ok"
        nobody = await sender.send([one()], NOBODY)
        await sender.close()
    assert (nobody.kind, nobody.status) == ("refused", "no-number")
    assert heard == [{"id": one().id, "to": "13812345678", "text": "新派单 王小明\n王小明 您好\n水龙头坏了"}]


class Mailbox:
    """A mail server with a script of its own."""

    def __init__(self, *, rcpt=b"250 ok", slow=False, tls=None):
        self.rcpt, self.slow, self.tls = rcpt, slow, tls
        self.mails = []
        self.tasks = []

    async def talk(self, reader, writer):
        async def say(line):
            if self.slow:
                for byte in line:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0.3)
            writer.write((b"" if self.slow else line) + b"\r\n")
            await writer.drain()

        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
            await say(b"220 here")
            while line := await reader.readline():
                word = line.split()[0].upper()
                if word == b"DATA":
                    await say(b"354 go on")
                    self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                    await say(b"250 taken")
                elif word == b"RCPT":
                    await say(self.rcpt)
                elif word == b"QUIT":
                    await say(b"221 bye")
                    break
                else:
                    await say(b"250 ok")

    @contextlib.asynccontextmanager
    async def open(self):
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, ssl=self.tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            await asyncio.sleep(0.05)  # transports say goodbye one turn later


def smtp(port, **more):
    return {
        "kind": "smtp", "host": "127.0.0.1", "port": port, "tls": "none", "sender": "repairs@example.edu",
        "allow": ["127.0.0.1"], "timeout": "2s", **more,
    }  # fmt: skip


async def test_mail_goes_to_the_person_with_an_id_that_is_the_deliverys(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    box = Mailbox(tls=tls)
    async with box.open() as port:
        sender = sender_of(smtp(port, tls="tls", cafile=str(tmp_path / "ca.pem")))
        outcome = await sender.send([one()], SOMEBODY)
        await sender.close()
    assert (outcome.kind, outcome.status) == ("ok", 250)
    mail = message_from_bytes(box.mails[0], policy=policy.default)
    assert mail["To"] == "王小明 <wang@example.edu>"
    assert mail["Subject"] == "新派单 王小明"
    assert mail["Message-ID"] == f"<{one().id}@example.edu>"
    assert "水龙头坏了" in mail.get_content()


MAIL = {
    "nobody knows their address": (Mailbox(), NOBODY, "refused", "no-mail-address"),
    "the address is none": (Mailbox(), Person(email="x\r\nBcc: all@example.edu"), "refused", "bad-mail-address"),
    "the box is not there": (Mailbox(rcpt=b"550 no such user"), SOMEBODY, "refused", 550),
    "the box is full today": (Mailbox(rcpt=b"452 full"), SOMEBODY, "retry", 452),
    "the server talks byte by byte": (Mailbox(slow=True), SOMEBODY, "retry", "timeout"),
}


@pytest.mark.parametrize("name", MAIL)
async def test_what_a_mail_server_says_is_an_outcome_in_time(name):
    box, person, kind, status = MAIL[name]
    async with box.open() as port:
        sender = sender_of(smtp(port))
        outcome = await sender.send([one()], person)
        await sender.close()
    assert (outcome.kind, outcome.status) == (kind, status)


async def test_mail_is_not_sent_to_a_server_inside_unless_it_is_named():
    sender = sender_of(smtp(25, allow=[]))
    outcome = await sender.send([one()], SOMEBODY)
    await sender.close()
    assert (outcome.kind, outcome.status) == ("refused", "forbidden-address")
