"""Notify, broken on purpose, so that the checks of a run of deliveries are known to see it."""

import secrets
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from dispatch.agents import ledger, notify_lane, notify_plan
from dispatch.hooks import senders


def _put(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def new_ids() -> None:
    """A new id for every try."""
    signed = senders.signed_headers

    def headers(keys: Any, one: Any, body: bytes) -> dict[str, str]:
        return signed(keys, replace(one, id=secrets.token_hex(8)), body)

    _put(senders, "signed_headers", headers)


def forgetful() -> None:
    """Whoever takes a lane over does not go on with what the ledger has open."""
    add = ledger.Folded.add

    def added(self: Any, record: Any) -> None:
        add(self, record)
        self.open.clear()
        self.first.clear()

    _put(ledger.Folded, "add", added)


def impatient() -> None:
    """Nothing waits for what comes before it, and nothing is superseded."""
    _put(notify_lane.LaneBook, "is_head", lambda _self, _delivery: True)
    _put(notify_plan, "superseded_by", lambda *_args: [])


def one_secret() -> None:
    """Signs with the newest secret alone, before the receivers know it."""
    _put(senders, "sign_webhook", _only_the_first(senders.sign_webhook))


def _only_the_first(sign: Callable[..., str]) -> Callable[..., str]:
    return lambda keys, *rest: sign(keys[:1], *rest)


BROKEN: Final[dict[str, tuple[Callable[[], None], tuple[str, ...]]]] = {
    # what is broken, and the counters of which at least one must see it
    "new_ids": (new_ids, ("unexpected",)),
    "forgetful": (forgetful, ("missing",)),
    "impatient": (impatient, ("after_withdrawal", "out_of_order")),
    "one_secret": (one_secret, ("unverified",)),
}
