"""A chat-completions endpoint as OpenAI has made it customary: how it is asked, and what its answer holds.

It is spoken to as hooks are: to judged addresses alone, without redirects, bounded in time and in size.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from dispatch.errors import ConfigError
from dispatch.hooks.addresses import Lookup
from dispatch.hooks.delivery import Outcome
from dispatch.hooks.senders import HttpSender
from dispatch.models.advice import AdviceDocument

MAX_COMPLETION_BYTES: Final = 64 * 1024
"""How much of an answer is read: some models think aloud before they say one line."""
MESSAGE: Final = "report_placement"
_encode = msgspec.json.Encoder().encode


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]


_decode = msgspec.json.Decoder(_Completion).decode


class Adviser(HttpSender):
    """The endpoint of ``advice.yaml``."""

    answer_bytes = MAX_COMPLETION_BYTES

    def __init__(self, document: AdviceDocument, key: str | None, lookup: Lookup | None = None) -> None:
        """Nothing connects before the first question. ConfigError when the file of authorities cannot be read."""
        try:
            super().__init__(document.name, document, lookup)
        except OSError as error:
            what = f"the authorities of {document.cafile!r} cannot be read: {type(error).__name__}"
            raise ConfigError("advice.yaml", None, what, "a file of certificates in PEM") from None
        self.url = document.url
        self._headers = {"Content-Type": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    async def ask(self, body: bytes) -> tuple[Outcome, str | None]:
        """Ask once; the outcome, and what the model has said. Whatever goes wrong is an outcome, never an exception.

        An answer that is no completion is a failure of the endpoint: a wrong address, a page of a proxy.
        """
        said: list[str] = []

        def judge(answer: bytes, outcome: Outcome) -> Outcome:
            content = content_of(answer)
            if content is None:
                return replace(outcome, kind="retry", status="no-completion")
            said.append(content)
            return outcome

        outcome = await self.post(self.url, body, self._headers, judge)
        return outcome, said[0] if said else None


def content_of(answer: bytes) -> str | None:
    """What the model says in an answer of the endpoint; None when it is no completion, or was cut."""
    try:
        choices = _decode(answer).choices
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return choices[0].message.content if choices else None


def request_body(document: AdviceDocument, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> bytes:
    """The request: the same bytes for the same question. ``schema`` is what the answer has to keep to."""
    body: dict[str, Any] = {**document.options, "model": document.model, "messages": messages, "stream": False}
    if document.answer == "json_schema":
        named = {"name": MESSAGE, "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    elif document.answer == "json_object":
        body["response_format"] = {"type": "json_object"}
    return _encode(body)


def key_names(document: AdviceDocument) -> dict[str, str]:
    """The environment variable that holds the key, and the endpoint that needs it; nothing where none is needed."""
    return {document.api_key_env: document.name} if document.api_key_env else {}


def make_adviser(document: AdviceDocument, secrets: Mapping[str, str], lookup: Lookup | None = None) -> Adviser:
    """The endpoint with its key. ConfigError that names the variable, and never the key, when that is no good."""
    if document.api_key_env is None:
        return Adviser(document, None, lookup)
    key = secrets[document.api_key_env]
    if not (key.isascii() and key.isprintable()) or " " in key:
        expected = "printable characters without spaces"
        raise ConfigError("environment", None, f"{document.api_key_env} cannot be a key", expected)
    return Adviser(document, key, lookup)
