"""Asking an endpoint over real connections: one that is well, and others that are not."""

import json
import ssl
import time

import pytest
import trustme

from dispatch.errors import ConfigError
from dispatch.hooks.adviser import Adviser, content_of, key_names, make_adviser
from dispatch.settings import read_secrets
from tests.advice.endpoint import Model, answering, bomb, completion, drip, flood, hang, redirect, reset

KEY = "sk-test-0123456789"


async def ask(document, key=None, body=b'{"model": "larger"}'):
    adviser = Adviser(document, key)
    try:
        return await adviser.ask(body)
    finally:
        await adviser.close()


async def test_what_the_model_says_comes_back_and_the_key_goes_with_the_question():
    async with Model(says="well") as model:
        outcome, content = await ask(model.document(), KEY)
    assert (outcome.kind, outcome.status, content) == ("ok", 200, "well")
    assert model.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert model.headers[0]["Content-Type"] == "application/json"
    assert model.asked == [{"model": "larger"}]


async def test_without_a_key_none_is_sent():
    async with Model() as model:
        await ask(model.document())
    assert "Authorization" not in model.headers[0]


BAD = {
    "it hangs": (hang, "retry", "timeout"),
    "it answers byte by byte": (drip, "retry", "timeout"),
    "it answers with 10 MB": (flood, "retry", "no-completion"),
    "it nests without end": (bomb, "retry", "no-completion"),
    "it resets": (reset, "retry", "ServerDisconnectedError"),
    "it redirects": (redirect, "retry", 307),
    "it is overloaded": (answering(500, "oops"), "retry", 500),
    "it knows no such key": (answering(401, "{}"), "retry", 401),
    "it does not know how it was asked": (answering(400, "{}"), "refused", 400),
    "it answers with a page": (answering(200, "<html>log in</html>"), "retry", "no-completion"),
    "it says nothing": (answering(200), "retry", "no-completion"),
    "it has no choices": (answering(200, '{"choices": []}'), "retry", "no-completion"),
    "it says no text": (answering(200, json.dumps(completion(None))), "retry", "no-completion"),
    "it says a list": (answering(200, json.dumps(completion(["x"]))), "retry", "no-completion"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_an_endpoint_that_misbehaves_is_an_outcome_in_time(name):
    behave, kind, status = BAD[name]
    async with Model(behave=behave) as model:
        began_s = time.monotonic()
        outcome, content = await ask(model.document())
    assert (outcome.kind, outcome.status, content) == (kind, status, None)
    assert time.monotonic() - began_s < 2.5


async def test_an_endpoint_may_ask_for_a_rest():
    async with Model(behave=answering(429, "{}", Retry_After="7")) as model:
        outcome, _content = await ask(model.document())
    assert (outcome.kind, outcome.status, outcome.retry_after_s) == ("retry", 429, 7.0)


async def test_nobody_connects_to_an_address_that_is_not_allowed():
    async with Model() as model:
        private = model.document(allow=[])
        named = model.document(allow=[], url=f"http://localhost:{model.port}/v1/chat/completions")
        other = model.document(ports=[443])
        for document, status in (
            (private, "forbidden-address"),
            (named, "forbidden-address"),
            (other, "forbidden-port"),
        ):
            outcome, content = await ask(document, KEY)
            assert (outcome.kind, outcome.status, content) == ("refused", status, None)
    assert model.asked == []


async def test_certificates_are_checked(tmp_path):
    authority, other = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    for name, one in (("ours", authority), ("theirs", other)):
        one.cert_pem.write_to_path(str(tmp_path / name))
    async with Model(tls=tls) as model:
        url = f"https://127.0.0.1:{model.port}/v1/chat/completions"
        outcome, content = await ask(model.document(url=url, cafile=str(tmp_path / "ours")), KEY)
        assert (outcome.kind, bool(content)) == ("ok", True)
        outcome, content = await ask(model.document(url=url, cafile=str(tmp_path / "theirs")), KEY)
        assert (outcome.kind, outcome.status, content) == ("retry", "ClientConnectorCertificateError", None)
    assert len(model.asked) == 1


def test_a_file_of_authorities_that_is_not_there_is_refused(tmp_path):
    document = Model(port=1).document(cafile=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"none.pem' cannot be read: FileNotFoundError"):
        Adviser(document, None)


def test_a_missing_key_is_refused_by_name_and_a_bad_one_is_not_shown():
    document = Model(port=1).document(api_key_env="HOUSE_KEY")
    with pytest.raises(ConfigError, match="HOUSE_KEY is not set; expected a secret of the endpoint 'house'"):
        read_secrets(key_names(document), {}, of="the endpoint")
    for bad in ("two words", "line\nbreak", "钥匙"):
        with pytest.raises(ConfigError, match="HOUSE_KEY cannot be a key") as error:
            make_adviser(document, {"HOUSE_KEY": bad})
        assert bad not in str(error.value)
    assert key_names(Model(port=1).document()) == {}


def test_an_answer_that_was_cut_is_none():
    whole = json.dumps(completion("word")).encode()
    assert content_of(whole) == "word"
    assert content_of(whole[:-1]) is None
    assert content_of(b"\xff\xfe") is None
