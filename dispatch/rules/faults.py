"""Several faults in one report, told apart where that is safe: a wrong split costs two crews.

The text is cut into clauses (``clauses``), and each is judged as if it stood alone. A new fault begins at a clause that

- surely points to another trade than the fault before it, and names one of that trade's things and that it is broken:
  not as a place (门旁边, near the window), not to deny it, not as a guess, a condition, or the remedy asked for;
- is not what the fault before it has done, or done to it (``fault_words``): water that drips down a wall, a machine
  without power, the door of a lift. Words that say that it is another matter overrule some of this.

All else goes on telling of the fault before it. One trade told twice is one fault. The whole report must be of one of
the trades found. If it is an emergency, one part must be that emergency by its own words: it keeps the whole report and
comes first. If it is none, no part may be one. Otherwise nothing is split, and the other trade is only named.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from dispatch.rules.clauses import Clause, clauses_of
from dispatch.rules.fault_words import (
    is_elsewhere,
    is_excused,
    is_one_matter,
    leads_to_a_place,
    says_also,
    subjects_of,
)
from dispatch.rules.policy import Policy
from dispatch.rules.triage import Classification, classify, hear
from dispatch.rules.triage_model import Model, Prediction
from dispatch.rules.words import WordIndex, fold

READ_LIMIT: Final = 600
"""A longer text is a story, or many lists: it is left to people."""

_TWO: Final = 2
_MAYBE_PERMILLE: Final = 600
_LEAD_LIMIT: Final = 40


class Asked(msgspec.Struct, frozen=True):
    """A report that may tell of several faults: its text, and the verdict on all of it."""

    policy: Policy
    text: str
    whole: Classification


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of several: its text with the place that all share, where its own words begin, and what joined them.

    ``is_whole``: it keeps all that was said, for it is the emergency. ``heard`` is what the model makes of its text.
    """

    text: str
    at: int
    said: str
    trade: str
    verdict: Classification
    heard: Prediction
    is_whole: bool = False


class Faults(msgspec.Struct, frozen=True):
    """The parts of a report, none where it is one fault; ``second`` is a trade that it may be about besides its own."""

    parts: tuple[Part, ...] = ()
    second: str | None = None


class _Read(msgspec.Struct, frozen=True):
    """A clause by its words: the trades of what it is about, and all that it hints at; none if it tells of no fault."""

    clause: Clause
    folded: str
    named: frozenset[str] = frozenset()
    hinted: frozenset[str] = frozenset()


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A clause; ``trade`` is what it surely tells a fault of, ``maybe`` what it may; ``begins``: it may begin one."""

    clause: Clause
    folded: str
    trade: str | None = None
    maybe: str | None = None
    begins: bool = False


class _Draft(msgspec.Struct, frozen=True):
    """A part before it is judged by itself."""

    text: str
    at: int
    said: str
    trade: str


def suspected(asked: Asked) -> list[_Read]:
    """The clauses of a report that by their words may tell of several faults; none for most reports, at once."""
    whole, policy = asked.whole, asked.policy
    if len(whole.named) < _TWO or whole.kind != "repair" or not policy.document.faults.split:
        return []
    clauses = clauses_of(asked.text) if len(asked.text) <= READ_LIMIT else []
    if len(clauses) < _TWO:
        return []
    read = [_read(policy, clause) for clause in clauses]
    telling = [one.hinted for one in read if one.hinted]
    return read if len(telling) >= _TWO and len(frozenset().union(*telling)) >= _TWO else []


def told_apart(asked: Sequence[Asked], model: Model | None = None) -> list[Faults]:
    """The faults of many reports; ``model`` (the shipped one) hears all their clauses at once, then all their parts."""
    found = [Faults()] * len(asked)
    read = {at: some for at, one in enumerate(asked) if (some := suspected(one))}
    if not read:
        return found
    heard = iter(hear([one.clause.text for some in read.values() for one in some if one.hinted], model))
    drafts: dict[int, list[_Draft]] = {}
    for at, some in read.items():
        judged = [_judge(asked[at].policy, one, next(heard) if one.hinted else None, model) for one in some]
        second = next((one.maybe for one in judged if one.maybe not in {None, asked[at].whole.trade}), None)
        found[at] = Faults((), second)
        if parts := _drafts(asked[at], judged):
            drafts[at] = parts
    heard = iter(hear([part.text for parts in drafts.values() for part in parts], model))
    for at, parts in drafts.items():
        found[at] = _settled(asked[at], [(part, next(heard)) for part in parts], model)
    return found


def _read(policy: Policy, clause: Clause) -> _Read:
    folded = fold(clause.text)
    if is_excused(folded, wish=clause.is_told_apart or not clause.at):
        return _Read(clause, folded)
    return _Read(clause, folded, *subjects_of(policy, folded))


def _judge(policy: Policy, read: _Read, heard: Prediction | None, model: Model | None) -> _Judged:
    clause, folded = read.clause, read.folded
    nothing = _Judged(clause=clause, folded=folded)
    if heard is None:
        return nothing
    verdict = classify(policy, text=clause.text, heard=heard, model=model)
    trade = verdict.trade
    if verdict.kind != "repair" or trade not in read.hinted:
        return nothing
    sure = verdict.confidence_permille >= policy.document.faults.sure_permille
    return _Judged(
        clause=clause,
        folded=folded,
        trade=trade if sure else None,
        maybe=trade if verdict.confidence_permille >= _MAYBE_PERMILLE else None,
        begins=sure and (trade in read.named or clause.is_told_apart or says_also(folded)),
    )


def _drafts(asked: Asked, judged: Sequence[_Judged]) -> list[_Draft]:
    """The parts, one a trade, in the order in which they are first told; none where it is one fault."""
    groups: list[list[_Judged]] = [[]]
    for one in judged:
        before = next((each.trade for each in groups[-1] if each.trade), None)
        if one.begins and before and one.trade != before and not _goes_on(asked, groups[-1], before, one):
            groups.append([])
        groups[-1].append(one)
    if len(groups) < _TWO:
        return []
    lead = "" if judged[0].trade and judged[0].clause.joint == "item" else _lead(asked, judged[0])
    drafts: dict[str, _Draft] = {}
    for number, group in enumerate(groups):
        trade = next(each.trade for each in group if each.trade)
        first, last = group[0].clause, group[-1].clause
        text = asked.text[first.at : last.at + len(last.text)]
        if trade in drafts:
            known = drafts[trade]
            drafts[trade] = msgspec.structs.replace(known, text=f"{known.text}{_comma(text)}{text}")
        else:
            lends = number and lead and not leads_to_a_place(asked.policy, text)
            drafts[trade] = _Draft(lead + text if lends else text, first.at, first.said if number else "", trade)
    fits = _TWO <= len(drafts) <= asked.policy.document.faults.most
    return list(drafts.values()) if fits and _is_about(asked.whole, drafts) else []


def _is_about(whole: Classification, drafts: Mapping[str, _Draft]) -> bool:
    """Whether the whole report is of one of the trades found, or of none that could be told."""
    return whole.trade in drafts or (whole.trade is None and not whole.out_of_scope)


def _goes_on(asked: Asked, group: Sequence[_Judged], trade: str, one: _Judged) -> bool:
    """Whether the clause goes on with the fault of the clauses before it, though of another trade.

    In an emergency everything does that is not plainly told as another matter.
    """
    before = " ".join(each.folded for each in group)
    apart = 2 if one.clause.is_told_apart else int(says_also(one.folded) or is_elsewhere(before, one.folded))
    if not apart and asked.whole.urgency == "emergency":
        return True
    return is_one_matter(before, trade, one.folded, str(one.trade), apart)


def _settled(asked: Asked, parts: Sequence[tuple[_Draft, Prediction]], model: Model | None) -> Faults:
    """The parts judged by themselves; none if one then is something else, or the emergency is not in one of them."""
    whole, judged = asked.whole, []
    main = whole.trade or parts[0][0].trade
    second = next(part.trade for part, _heard in parts if part.trade != main)
    for part, heard in parts:
        verdict = classify(asked.policy, text=part.text, heard=heard, model=model)
        judged.append(Part(text=part.text, at=part.at, said=part.said, trade=part.trade, verdict=verdict, heard=heard))
    if any(one.verdict.trade != one.trade or one.verdict.kind != "repair" for one in judged):
        return Faults((), second)
    alarms = [one for one in judged if one.verdict.urgency == "emergency"]
    if whole.urgency != "emergency":
        return Faults((), second) if alarms else Faults(tuple(judged), second)
    kept = next((one for one in alarms if one.trade == whole.trade), None)
    if kept is None:
        return Faults((), second)
    others = [one for one in judged if one is not kept]
    return Faults((msgspec.structs.replace(kept, text=asked.text, is_whole=True), *others), second)


def _lead(asked: Asked, first: _Judged) -> str:
    """What of the first clause only says where: it holds for all that follows."""
    if first.trade is None:
        text = first.clause.text
        return text + _comma(text) if len(text) <= _LEAD_LIMIT and leads_to_a_place(asked.policy, text) else ""
    things, _alarms = asked.policy.compiled(WordIndex).scan(first.folded)
    starts = [hit.at for hit in things if not hit.is_english and hit.word.votes]
    if not starts or len(first.folded) != len(first.clause.text):
        return ""
    text = first.clause.text[: min(starts)].rstrip("的里")
    return text if 0 < len(text) <= _LEAD_LIMIT and leads_to_a_place(asked.policy, text) else ""


def _comma(text: str) -> str:
    return ", " if text.isascii() else "，"
