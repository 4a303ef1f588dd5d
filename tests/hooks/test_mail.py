"""Text messages and mail: to whom they go, and what a server that refuses or dawdles leads to."""

import asyncio
import contextlib
from email import message_from_bytes, policy

import pytest
from aiohttp import web

from dispatch.hooks.senders import NOBODY, Person
from tests.hooks.sending import SOMEBODY, one, own_authority, sender_of, served
from tests.support.receiver import new_secret


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
    tls, cafile = own_authority(tmp_path)
    box = Mailbox(tls=tls)
    async with box.open() as port:
        sender = sender_of(smtp(port, tls="tls", cafile=cafile))
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
