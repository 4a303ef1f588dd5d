"""A delivery as a value, and how it goes on: pure functions, with wall time (seconds since the epoch) as an argument.

    planned ─► attempted ─► succeeded
       │          │  ├────► retry at … ─► attempted (the same hook, or the receiver's next one)
       │          │  └────► failed          (gone, refused, or given up)
       └──────────┴───────► dropped(reason) (superseded, too late, nobody to send it to)

One delivery is one event for one receiver; its id is the idempotency key, whatever hook it goes through.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from dispatch.models.hooks import Retry

FINAL: Final = frozenset({"succeeded", "failed", "dropped"})
MOST_RETRY_AFTER_S: Final = 3600.0
"""A receiver may ask for an hour's rest and no more."""
RANKS: Final = {"emergency": 0, "urgent": 1, "normal": 2, "low": 3}

_LEG_OVER: Final = frozenset({"work-order.offered", "work-order.assigned", "work-order.updated"})
_ORDER_OVER: Final = frozenset(
    {"work-order.offered", "work-order.assigned", "work-order.updated", "escalation.raised", "clock.warned"}
    | {"clock.breached"}
)
SUPERSEDES: Final[dict[str, tuple[str, frozenset[str]]]] = {
    # event: what they must have in common, and the types that say nothing any more once it has happened
    "work-order.assigned": ("assignment_id", frozenset({"work-order.offered"})),
    "work-order.accepted": ("assignment_id", frozenset({"work-order.offered"})),
    "work-order.withdrawn": ("assignment_id", _LEG_OVER),
    "work-order.declined": ("assignment_id", _LEG_OVER),
    "work-order.offer-expired": ("assignment_id", _LEG_OVER),
    "work-order.returned": ("assignment_id", _LEG_OVER),
    "work-order.transferred": ("assignment_id", _LEG_OVER),
    "work-order.cancelled": ("order_id", _ORDER_OVER),
    "work-order.closed": ("order_id", _ORDER_OVER),
    "work-order.merged": ("order_id", _ORDER_OVER),
    "work-order.refused": ("order_id", _ORDER_OVER),
    "escalation.acknowledged": ("escalation_id", frozenset({"escalation.raised"})),
    "escalation.resolved": ("escalation_id", frozenset({"escalation.raised"})),
}
UNHEARD: Final = frozenset({"work-order.withdrawn", "work-order.offer-expired"})
"""Events that only take back what somebody was told: who never heard of it need not hear of its end."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event for one receiver. ``hooks`` are tried in order, ``hook`` is the present one's place among them.

    ``attempt`` counts sendings, ``tries`` those through the present hook. ``sent_before``: it may have been sent by
    a worker that could not say so any more.
    """

    id: str
    event_id: str
    event_type: str
    receiver: str
    hooks: tuple[str, ...]
    why: str
    order_id: str
    planned_at: float
    next_at: float
    give_up_at: float
    event_at: float | None = None
    assignment_id: str | None = None
    escalation_id: str | None = None
    urgency: str = "normal"
    locale: str = "zh"
    title: str = ""
    text: str = ""
    facts: dict[str, Any] = {}
    traceparent: str | None = None
    state: str = "planned"
    hook: int = 0
    attempt: int = 0
    tries: int = 0
    status: int | str | None = None
    latency_ms: int | None = None
    reason: str | None = None
    sent_before: bool = False

    @property
    def is_final(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in FINAL

    @property
    def through(self) -> str | None:
        """The name of the hook it goes through now; None when there is none."""
        return self.hooks[self.hook] if self.hook < len(self.hooks) else None

    @property
    def thread(self) -> tuple[str, str]:
        """Deliveries of one thread are sent one after another, in the order of their events."""
        return self.receiver, self.order_id


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one sending came to: ``ok``, ``retry``, ``refused`` (never through this hook), or ``gone`` (410)."""

    kind: str
    status: int | str | None = None
    latency_ms: int | None = None
    retry_after_s: float | None = None


def delivery_id(event_id: str, receiver: str) -> str:
    """The idempotency key of an event for a receiver: the same however often it is planned or sent."""
    return "dl" + hashlib.blake2b(f"{event_id}\0{receiver}".encode(), digest_size=14).hexdigest()


_REFUSED: Final = frozenset({400, 405, 406, 413, 414, 415, 422, 431, 501})
"""The message or the way of sending it is wrong, and will be wrong tomorrow. All else may pass."""


def outcome_of(status: int, retry_after: str | None, now: float, latency_ms: int) -> Outcome:
    """What an HTTP status means for a delivery. A redirect is not followed, and may be undone: it is tried again."""
    if 200 <= status < 300:  # noqa: PLR2004 -- HTTP
        kind = "ok"
    elif status == 410:  # noqa: PLR2004 -- HTTP
        kind = "gone"
    else:
        kind = "refused" if status in _REFUSED else "retry"
    after_s = retry_after_s(retry_after, now) if kind == "retry" else None
    return Outcome(kind=kind, status=status, latency_ms=latency_ms, retry_after_s=after_s)


def retry_after_s(text: str | None, now: float) -> float | None:
    """Seconds to wait, from seconds or an HTTP date; None for nonsense, an hour for what is longer."""
    if not text:
        return None
    text = text.strip()[:64]
    if text.isascii() and text.isdigit():
        return min(float(text), MOST_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    wait_s = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now
    return min(max(wait_s, 0.0), MOST_RETRY_AFTER_S)


def backoff_s(key: str, tries: int, retry: Retry) -> float:
    """Exponential, with jitter of a half to a whole that follows from the delivery alone, so that a replay agrees."""
    ceiling_s = float(min(retry.most, retry.first << min(tries - 1, 40)))
    digest = hashlib.blake2b(f"{key}:{tries}".encode(), digest_size=4).digest()
    return ceiling_s * (0.5 + int.from_bytes(digest, "big") / 2**33)


def begin(delivery: Delivery, now: float) -> Delivery:
    """It is about to be sent."""
    attempt, tries = delivery.attempt + 1, delivery.tries + 1
    return replace(delivery, state="attempted", attempt=attempt, tries=tries, next_at=now)


def settle(delivery: Delivery, outcome: Outcome, now: float, retry: Retry) -> Delivery:
    """What follows from an outcome: success, another try at a known moment, the next hook, or the end."""
    known = replace(delivery, status=outcome.status, latency_ms=outcome.latency_ms)
    if outcome.kind == "ok":
        return replace(known, state="succeeded")
    has_other = delivery.hook + 1 < len(delivery.hooks)
    if outcome.kind in {"refused", "gone"} or (has_other and delivery.tries >= retry.fall_back):
        if not has_other:
            return replace(known, state="failed", reason=outcome.kind)
        return replace(known, state="retry", hook=delivery.hook + 1, tries=0, next_at=now)
    asked_s = min(outcome.retry_after_s or 0.0, retry.most)  # more than that is silly
    wait_s = max(backoff_s(delivery.id, max(1, delivery.tries), retry), asked_s)
    if now + wait_s > delivery.give_up_at:
        if has_other:
            return replace(known, state="retry", hook=delivery.hook + 1, tries=0, next_at=now)
        return replace(known, state="failed", reason="given_up")
    return replace(known, state="retry", next_at=now + wait_s)


def overdue(delivery: Delivery, now: float) -> Delivery | None:
    """The delivery as failed when its time is over (its endpoint rested for too long), else None."""
    if now < delivery.give_up_at:
        return None
    return replace(delivery, state="failed", reason="given_up")


def drop(delivery: Delivery, reason: str) -> Delivery:
    """Not to be sent, or not again."""
    return replace(delivery, state="dropped", reason=reason)


def superseded_by(
    event_type: str, order_id: str, assignment_id: str | None, escalation_id: str | None, open_ones: Iterable[Delivery]
) -> list[Delivery]:
    """Those of the deliveries that an event leaves without meaning."""
    rule = SUPERSEDES.get(event_type)
    if rule is None:
        return []
    field, types = rule
    value = {"order_id": order_id, "assignment_id": assignment_id, "escalation_id": escalation_id}[field]
    return [one for one in open_ones if value and one.event_type in types and getattr(one, field) == value]


def never_heard(delivery: Delivery, dropped: Iterable[Delivery], told: Iterable[Delivery]) -> bool:
    """Whether a taking back can be spared: all that it takes back was dropped before anybody saw it.

    ``dropped`` are deliveries that this event superseded, ``told`` those about the order that are still open.
    """
    if delivery.event_type not in UNHEARD:
        return False
    same = [one for one in dropped if one.receiver == delivery.receiver and one.assignment_id == delivery.assignment_id]
    if not same or any(one.attempt or one.sent_before for one in same):
        return False
    return not any(one.receiver == delivery.receiver and one.assignment_id == delivery.assignment_id for one in told)
