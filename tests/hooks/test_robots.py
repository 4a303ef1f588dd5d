"""Robots of chat groups: one text for what waits, their codes, their signatures."""

import base64
import hashlib
import hmac
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from dispatch.hooks.robots import merged
from dispatch.hooks.senders import NAME_MARK, NOBODY
from tests.hooks.sending import one, sender_of, served
from tests.hooks.test_delivery import made


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
