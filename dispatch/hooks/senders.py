"""What carries a message: one sender for each hook of the config, made with its secrets, all spoken to alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from dispatch.errors import ConfigError, Rejected
from dispatch.hooks.addresses import Guard, Lookup
from dispatch.hooks.delivery import Delivery, Outcome, outcome_of
from dispatch.hooks.http import MAX_ANSWER_BYTES, UNREACHABLE, HttpClient
from dispatch.hooks.signing import key_of, sign_webhook
from dispatch.hooks.words import NAME_MARK
from dispatch.log import get_log
from dispatch.models.catalog import full_name
from dispatch.models.hooks import HooksDocument, HttpHook, LogHook, RobotHook, SmsHook, SmtpHook, WebhookHook
from dispatch.rules.state import text_of, whole_ms

log = get_log("hook")
_encode = msgspec.json.Encoder().encode
Hook = LogHook | WebhookHook | RobotHook | SmtpHook | SmsHook


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """How to call and to reach a receiver; joined when a message leaves, and kept nowhere."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None


NOBODY: Final = Person()


class Sender(Protocol):
    """One hook. ``merges``: how many deliveries one message may hold; ``needs_person``: whether people are joined."""

    merges: int
    per_minute: int | None
    concurrency: int
    needs_person: bool

    def endpoint(self, delivery: Delivery) -> str:
        """What has a circuit breaker of its own."""

    async def send(self, deliveries: Sequence[Delivery], person: Person) -> Outcome:
        """Send one message; whatever goes wrong is an outcome, never an exception."""

    async def close(self) -> None:
        """Close connections."""


class BaseSender:
    """What senders share."""

    merges = 1
    per_minute: int | None = None
    needs_person = False

    def __init__(self, name: str, concurrency: int) -> None:
        """``name`` as the config has it."""
        self.name = name
        self.concurrency = concurrency

    def endpoint(self, _delivery: Delivery) -> str:
        """See Sender."""
        return self.name

    async def close(self) -> None:
        """See Sender."""


class LogSender(BaseSender):
    """Says in the log that somebody was told: ids and the title, no words of people."""

    async def send(self, deliveries: Sequence[Delivery], _person: Person) -> Outcome:
        """See Sender."""
        for one in deliveries:
            title = one.title.replace(NAME_MARK, "")
            log.info("told", delivery=one.id, receiver=one.receiver, order=one.order_id, title=title)
        return Outcome(kind="ok", latency_ms=0)


class HttpSender(BaseSender):
    """A message by HTTP POST."""

    answer_bytes = MAX_ANSWER_BYTES

    def __init__(self, name: str, hook: HttpHook, lookup: Lookup | None = None) -> None:
        """Nothing connects before the first message. ``lookup`` stands in for the name service in tests."""
        super().__init__(name, hook.concurrency)
        guard = Guard(hook.allow, hook.ports)
        self.http = HttpClient(
            guard, timeout_s=hook.timeout, cafile=hook.cafile, lookup=lookup, answer_bytes=self.answer_bytes
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], judge: "Judge | None" = None) -> Outcome:
        """Post, and say what the answer means; ``judge`` looks into the body of a 2xx."""
        began_s = time.monotonic()
        try:
            answer = await self.http.post(url, body, headers)
        except Rejected as error:
            return Outcome(kind="refused", status=error.code, latency_ms=_ms(began_s))
        except TimeoutError:
            return Outcome(kind="retry", status="timeout", latency_ms=_ms(began_s))
        except UNREACHABLE as error:
            return Outcome(kind="retry", status=type(error).__name__, latency_ms=_ms(began_s))
        outcome = outcome_of(answer.status, answer.retry_after, time.time(), _ms(began_s))
        return judge(answer.body, outcome) if judge is not None and outcome.kind == "ok" else outcome

    async def close(self) -> None:
        """See Sender."""
        await self.http.close()


Judge = Callable[[bytes, Outcome], Outcome]


class WebhookSender(HttpSender):
    """Standard Webhooks 1.0: the delivery's id is the message's, whatever the try; signed with every secret."""

    def __init__(self, name: str, hook: WebhookHook, keys: Sequence[bytes], lookup: Lookup | None = None) -> None:
        """``keys``: all that are valid now; more than one while secrets are being changed."""
        super().__init__(name, hook, lookup)
        self.url = hook.url
        self.keys = keys
        self.needs_person = hook.contact

    def endpoint(self, delivery: Delivery) -> str:
        """A hook whose address names the receiver has one endpoint for each."""
        return f"{self.name}:{delivery.receiver}" if "{receiver}" in self.url else self.name

    async def send(self, deliveries: Sequence[Delivery], person: Person) -> Outcome:
        """See Sender."""
        one = deliveries[0]
        body = webhook_body(one, person if self.needs_person else None)
        url = self.url.replace("{receiver}", quote(one.receiver, safe="/"))
        return await self.post(url, body, signed_headers(self.keys, one, body))


class SmsSender(HttpSender):
    """The port to an SMS provider: its gateway gets ``{"id", "to", "text"}``, signed like a webhook."""

    needs_person = True

    def __init__(self, name: str, hook: SmsHook, keys: Sequence[bytes], lookup: Lookup | None = None) -> None:
        """See WebhookSender."""
        super().__init__(name, hook, lookup)
        self.url = hook.url
        self.keys = keys
        self.per_minute = hook.per_minute

    async def send(self, deliveries: Sequence[Delivery], person: Person) -> Outcome:
        """See Sender."""
        one = deliveries[0]
        if not person.phone:
            return Outcome(kind="refused", status="no-number")
        text = named(f"{one.title}\n{one.text}", person)
        body = _encode({"id": one.id, "to": person.phone, "text": text})
        return await self.post(self.url, body, signed_headers(self.keys, one, body))


def signed_headers(keys: Sequence[bytes], one: Delivery, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0; the timestamp is that of this try."""
    now_s = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": one.id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": sign_webhook(keys, one.id, now_s, body),
    }
    if one.traceparent:
        headers["traceparent"] = one.traceparent
    return headers


def webhook_body(one: Delivery, person: Person | None) -> bytes:
    """Type, timestamp and data, the same bytes at every try; ``data`` is for machines, its ``message`` for people.

    The timestamp is the event's own: planned twice, by two workers, it is still the same.
    """
    data: dict[str, Any] = {
        **one.facts,
        "delivery_id": one.id,
        "event_id": one.event_id,
        "receiver": one.receiver,
        "work_order_id": one.order_id,
        "message": {
            "locale": one.locale,
            "title": named(one.title, person or NOBODY),
            "text": named(one.text, person or NOBODY),
        },
    }
    if person is not None:
        data["contact"] = {name: value for name, value in msgspec.to_builtins(person).items() if value}
    return _encode(
        {"type": full_name(one.event_type), "timestamp": wall_text(one.event_at or one.planned_at), "data": data}
    )


def wall_text(moment: float) -> str:
    """A wall time in seconds since the epoch, as RFC 3339."""
    return text_of(whole_ms(datetime.fromtimestamp(moment, UTC)))


def named(text: str, person: Person) -> str:
    """The text with the receiver's name where it belongs, or without a trace of it."""
    if person.name:
        return text.replace(NAME_MARK, person.name)
    return text.replace(f"{NAME_MARK} ", "").replace(NAME_MARK, "").rstrip()


def _ms(began_s: float) -> int:
    return round((time.monotonic() - began_s) * 1000)


def secret_names(document: HooksDocument) -> dict[str, str]:
    """Each environment variable that the hooks need, and the hook that needs it."""
    found: dict[str, str] = {}
    for name, hook in document.hooks.items():
        if isinstance(hook, WebhookHook | SmsHook):
            found.update(dict.fromkeys(hook.secrets, name))
        elif isinstance(hook, RobotHook):
            found.update({one: name for one in (hook.key, hook.secret) if one})
        elif isinstance(hook, SmtpHook):
            found.update({one: name for one in (hook.username, hook.password) if one})
    return found


def make_senders(
    document: HooksDocument, secrets: Mapping[str, str], lookup: Lookup | None = None
) -> dict[str, Sender]:
    """A sender for each hook. ConfigError that names the variable when a secret is no good."""
    return {name: _make(name, hook, secrets, lookup) for name, hook in document.hooks.items()}


def _make(name: str, hook: Hook, secrets: Mapping[str, str], lookup: Lookup | None) -> Sender:
    from dispatch.hooks.mail import SmtpSender  # noqa: PLC0415 -- both build on what is above
    from dispatch.hooks.robots import ROBOTS  # noqa: PLC0415

    match hook:
        case WebhookHook():
            return WebhookSender(name, hook, _keys(hook.secrets, secrets), lookup)
        case SmsHook():
            return SmsSender(name, hook, _keys(hook.secrets, secrets), lookup)
        case RobotHook():
            secret = secrets[hook.secret] if hook.secret else None
            return ROBOTS[hook.kind](name, hook, secrets[hook.key], secret, lookup)
        case SmtpHook():
            login = (secrets[hook.username], secrets[hook.password]) if hook.username and hook.password else None
            return SmtpSender(name, hook, login, lookup)
        case LogHook():
            return LogSender(name, hook.concurrency)


def _keys(names: Sequence[str], secrets: Mapping[str, str]) -> list[bytes]:
    keys: list[bytes] = []
    for name in names:
        try:
            keys.append(key_of(secrets[name]))
        except ValueError as error:
            expected = "whsec_ and 24 to 64 bytes in base64"
            raise ConfigError("environment", None, f"{name}: {error}", expected) from None
    return keys
