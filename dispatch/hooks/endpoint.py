"""When an endpoint may be sent to: a circuit breaker, a pause that it asked for, and a number of messages a minute.

Pure values; ``now`` is any clock in seconds, as long as it is always the same one.
"""

import msgspec
from msgspec.structs import replace

from dispatch.models.hooks import Breaker

WINDOW_S = 60.0
GONE_S = 3600.0
"""How long an endpoint that said 410 is left alone."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an endpoint. ``failures`` in a row; ``rests`` how often in a row it has rested.

    ``sent_at`` are the moments of the last messages, kept only where there is a limit a minute.
    """

    failures: int = 0
    rests: int = 0
    rest_until: float = 0.0
    probing: bool = False
    gone_until: float = 0.0
    pause_until: float = 0.0
    sent_at: tuple[float, ...] = ()

    @property
    def state(self) -> str:
        """``closed`` (all is well), ``open`` (it rests) or ``half-open`` (one message probes it)."""
        if self.probing:
            return "half-open"
        return "open" if self.rest_until else "closed"


def opens_at(endpoint: Endpoint, now: float, per_minute: int | None) -> float:
    """The moment at which the next message may go: ``now``, or later. While a probe is under way, never (inf)."""
    if endpoint.probing:
        return float("inf")
    at = max(now, endpoint.rest_until, endpoint.pause_until)
    if per_minute is not None and len(endpoint.sent_at) >= per_minute:
        at = max(at, endpoint.sent_at[-per_minute] + WINDOW_S)
    return at


def sending(endpoint: Endpoint, now: float, per_minute: int | None) -> Endpoint:
    """A message goes; after a rest it is the probe, and nothing else goes before its answer."""
    sent_at = (*endpoint.sent_at[-(per_minute - 1) :], now) if per_minute and per_minute > 1 else (now,)
    return replace(endpoint, probing=endpoint.rest_until > 0, sent_at=sent_at if per_minute else ())


def answered(endpoint: Endpoint, kind: str, now: float, pause_s: float | None, breaker: Breaker) -> Endpoint:
    """What an outcome says of the endpoint itself. A refusal (400 …) is an answer: the endpoint lives."""
    if kind == "gone":
        return replace(endpoint, failures=0, probing=False, gone_until=now + GONE_S)
    if kind != "retry":
        return replace(endpoint, failures=0, rests=0, rest_until=0.0, probing=False)
    if pause_s is not None:  # it lives, and says when it wants to hear more
        return replace(
            endpoint, failures=0, rest_until=0.0, probing=False, pause_until=now + min(pause_s, breaker.most)
        )
    failures = endpoint.failures + 1
    if not endpoint.probing and (failures < breaker.failures or endpoint.rest_until > now):
        return replace(endpoint, failures=failures)
    rest_s = min(breaker.most, breaker.rest * 2 ** min(endpoint.rests, 30))
    return replace(endpoint, failures=failures, rests=endpoint.rests + 1, rest_until=now + rest_s, probing=False)
