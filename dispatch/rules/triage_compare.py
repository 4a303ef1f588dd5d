"""What another model of triage would change: every text judged by both, and where they part."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from dispatch.rules.policy import Policy
from dispatch.rules.triage import Classification, classify, hear
from dispatch.rules.triage_model import OUT_OF_SCOPE, Model

AT_ONCE: Final = 64
FRONT_DESK: Final = "front_desk"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A text, and how often it was sent."""

    id: str
    text: str
    count: int = 1


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared. ``trade`` may be ``out_of_scope``, or ``front_desk`` where a model does not know."""

    trade: str
    urgency: str
    kind: str
    confidence: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A text on which the two do not agree in trade, urgency or kind."""

    id: str
    text: str
    count: int
    old: Verdict
    new: Verdict


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """How many reports go from one trade to another."""

    old: str
    new: str
    count: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Reports count as often as they were sent. ``agreement`` is a share (0 to 1) by question, None of no reports.

    ``lost`` and ``gained`` are all emergencies that the new model would miss, or find; ``sample`` is of the rest.
    """

    old: str
    new: str
    reports: int
    changed: int
    agreement: dict[str, float | None]
    lost: tuple[Change, ...]
    gained: tuple[Change, ...]
    moves: tuple[Move, ...]
    sample: tuple[Change, ...]


def compare(
    policy: Policy, asked: Sequence[Asked], old: Model, new: Model, said: Mapping[str, Any], sample: int
) -> Comparison:
    """Judge every text by both. ``said`` is what is known of all beside their texts, as :func:`classify` takes it.

    ``sample`` is how many other changes to show: which ones depends on their texts alone.
    """
    pairs = list(zip(asked, _judged(policy, asked, old, said), _judged(policy, asked, new, said), strict=True))
    changes = [
        Change(id=one.id, text=one.text, count=one.count, old=was, new=would)
        for one, was, would in pairs
        if _answers(was) != _answers(would)
    ]
    alarmed = [(each, _alarms(each.old), _alarms(each.new)) for each in changes]
    moves = Counter[tuple[str, str]]()
    for each in changes:
        if each.old.trade != each.new.trade:
            moves[each.old.trade, each.new.trade] += each.count
    calm = sorted((each for each, was, would in alarmed if was == would), key=_by_chance)
    return Comparison(
        old=old.version,
        new=new.version,
        reports=sum(one.count for one in asked),
        changed=sum(each.count for each in changes),
        agreement=_agreement(pairs),
        lost=tuple(each for each, was, would in alarmed if was and not would),
        gained=tuple(each for each, was, would in alarmed if would and not was),
        moves=tuple(
            Move(old=pair[0], new=pair[1], count=count)
            for pair, count in sorted(moves.items(), key=lambda item: (-item[1], item[0]))
        ),
        sample=tuple(calm[:sample]),
    )


def _judged(policy: Policy, asked: Sequence[Asked], model: Model, said: Mapping[str, Any]) -> Iterator[Verdict]:
    for at in range(0, len(asked), AT_ONCE):
        texts = [one.text for one in asked[at : at + AT_ONCE]]
        for text, heard in zip(texts, hear(texts, model), strict=True):
            yield _verdict(classify(policy, text=text, heard=heard, model=model, **said))


def _verdict(found: Classification) -> Verdict:
    trade = found.trade or (OUT_OF_SCOPE if found.out_of_scope else FRONT_DESK)
    return Verdict(trade=trade, urgency=found.urgency, kind=found.kind, confidence=found.confidence_permille / 1000)


def _answers(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.trade, verdict.urgency, verdict.kind


def _alarms(verdict: Verdict) -> bool:
    return verdict.urgency == "emergency"


_QUESTIONS: Final[dict[str, Callable[[Verdict], object]]] = {
    "all": _answers,
    "trade": lambda verdict: verdict.trade,
    "emergency": _alarms,
    "urgency": lambda verdict: verdict.urgency,
    "kind": lambda verdict: verdict.kind,
}


def _agreement(pairs: Sequence[tuple[Asked, Verdict, Verdict]]) -> dict[str, float | None]:
    whole = sum(one.count for one, _was, _would in pairs)
    return {
        name: round(sum(one.count for one, was, would in pairs if answer(was) == answer(would)) / whole, 4)
        if whole
        else None
        for name, answer in _QUESTIONS.items()
    }


def _by_chance(change: Change) -> bytes:
    return hashlib.blake2b(change.text.encode(errors="replace"), digest_size=8).digest()
