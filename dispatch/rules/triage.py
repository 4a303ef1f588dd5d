"""What a report asks for: its trade, its urgency, its hazards and its kind, by the words of the lexicon and the model.

Every trade collects the weight of the different words that point to it, symptoms at half; a channel's hint and a
category add to it. The model of triage reads the whole text; ``triage_blend`` weighs both, and says who has the last
word. Without a text there is nothing to read: then the heaviest trade wins, then the one named first, then the order of
the alphabet. A word of an emergency that is not denied overrides all of that: it names trade, hazard and urgency.
"""

from collections.abc import Sequence

import msgspec

from dispatch.rules.policy import Policy
from dispatch.rules.state import Requirement
from dispatch.rules.triage_blend import (
    Weighed,
    felt_trade,
    heard_kind,
    is_calm,
    is_felt,
    site_trade,
    weigh,
)
from dispatch.rules.triage_file import shipped
from dispatch.rules.triage_model import Model, Prediction
from dispatch.rules.triage_urgency import urgency_of
from dispatch.rules.triage_words import CERTAIN, Pointers, Source, Votes
from dispatch.rules.words import Hit, WordIndex, fold

LEXICON_VERSION = "lexicon-1"
"""The version where no model was asked; else it is the model's own."""

LETTER_KINDS = frozenset({"complaint", "suggestion", "inquiry"})
"""Kinds that ask for an answer and not for a craftsman: the front desk gives them a trade, or none."""

_PLANNED_ORIGINS = frozenset({"preventive", "campaign"})
_EVIDENCE_LIMIT = 12
_ALARM_CONFIDENCE = 950


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict, and the words that led to it. ``trade`` is None, and the desk is asked, if nothing tells.

    ``alternatives`` are the two likeliest trades with their thousandths; ``out_of_scope`` says that none of the site's
    crafts is asked for; ``alarmed_by`` is what made it an emergency (a hint: the channel's hazards or urgency);
    ``named`` are the trades that words of the text point to, if only a little.
    """

    kind: str
    trade: str | None
    requirements: tuple[Requirement, ...]
    urgency: str
    hazards: tuple[str, ...]
    confidence_permille: int
    source: Source
    evidence: tuple[str, ...]
    needs_front_desk: bool
    model_version: str = LEXICON_VERSION
    alternatives: tuple[tuple[str, int], ...] = ()
    out_of_scope: bool = False
    alarmed_by: Source = "none"
    named: tuple[str, ...] = ()


def hear(texts: Sequence[str], model: Model | None = None) -> list[Prediction]:
    """What a model makes of many texts at once, for :func:`classify`: that costs less than one after another."""
    return (model or shipped()).predict_all([fold(text) for text in texts])


def classify(
    policy: Policy,
    *,
    text: str,
    category: str | None = None,
    trade_hint: str | None = None,
    urgency_hint: str | None = None,
    hazards: Sequence[str] = (),
    impact: str | None = None,
    kind: str = "repair",
    origin: str = "reactive",
    heard: Prediction | None = None,
    model: Model | None = None,
) -> Classification:
    """Classify one report. Whatever the text, it never fails; planned work is not alarmed by its own words.

    ``heard`` is what :func:`hear` made of the text, if it was asked before, with the same ``model`` (the shipped one).
    """
    model = model or shipped()
    folded = fold(text or "")
    words = Pointers(policy, folded, category, trade_hint)
    evidence = words.evidence
    planned = origin in _PLANNED_ORIGINS or kind == "preventive"
    said = None if planned else _heard(model, folded, heard)
    found, source = _trade(policy, words.votes, words.things, said)
    alarms = [] if planned else words.alarms
    emergency, dangers, felt = _danger(policy, alarms, said, found.trade, evidence)
    told = tuple(dict.fromkeys((*hazards, *dangers, *words.tasks))) if hazards or words.tasks else dangers
    urgency = "emergency"
    if not dangers:
        alarming = tuple(each for each in hazards if each not in policy.document.lexicon.tasks)
        known = policy.compiled(WordIndex).hazards
        urgency = urgency_of(known, alarms, alarming, urgency_hint, impact, said, evidence)
    alarmed_by = _alarmed_by(dangers, urgency, felt=felt)
    trade, confidence = found.trade, found.confidence_permille
    if emergency is not None:
        trade, confidence, source = emergency, max(confidence, _ALARM_CONFIDENCE), alarmed_by
    elif urgency == "emergency":
        if (trade is None or source == "model") and (sent := _trade_for(policy, told)):
            trade, confidence, source = sent, _ALARM_CONFIDENCE, "hint"
    else:
        kind = heard_kind(said, trade) if said is not None and kind == "repair" else kind
        if kind in LETTER_KINDS and trade != trade_hint:
            trade, confidence, source = None, 0, "none"
    if source == "model" and trade and said is not None:
        evidence += [f"{word}→{trade}" for word in model.reasons(said, trade)]
    return Classification(
        kind=kind,
        trade=trade,
        requirements=_requirements(policy, trade, told),
        urgency=urgency,
        hazards=told,
        confidence_permille=confidence,
        source=source,
        evidence=tuple(evidence[-_EVIDENCE_LIMIT:]),
        needs_front_desk=trade is None,
        model_version=model.version if said is not None else LEXICON_VERSION,
        alternatives=found.alternatives,
        out_of_scope=trade is None and found.out_of_scope,
        alarmed_by=alarmed_by,
        named=words.named if emergency is None else (*words.named, emergency),
    )


def _heard(model: Model, folded: str, heard: Prediction | None) -> Prediction | None:
    """What the model makes of a text; None of one in which it knows nothing."""
    said = heard or (model.predict(folded) if folded else None)
    return said if said is not None and said.known else None


def _danger(
    policy: Policy, alarms: Sequence[Hit], said: Prediction | None, trade: str | None, evidence: list[str]
) -> tuple[str | None, tuple[str, ...], bool]:
    """Who goes to an emergency, the hazards, and whether the model alone has found it."""
    calm = said is not None and is_calm(said)
    emergency, named = _emergency(policy, [hit for hit in alarms if hit.negated or not calm], evidence)
    if emergency is not None or said is None or not is_felt(said, alarms):
        return emergency, named, False
    evidence.append(f"model→{said.hazard}")
    return felt_trade(policy, said, trade), (said.hazard,), True


def _alarmed_by(dangers: Sequence[str], urgency: str, *, felt: bool) -> Source:
    if dangers:
        return "model" if felt else "lexicon"
    return "hint" if urgency == "emergency" else "none"


def _trade(policy: Policy, votes: Votes, things: Sequence[Hit], said: Prediction | None) -> tuple[Weighed, Source]:
    """Who goes, and what said so: the site's words; else votes and model together; else the votes alone."""
    if (site := site_trade(things)) is not None:
        return Weighed(site, CERTAIN, ((site, CERTAIN),)), "lexicon"
    if said is not None:
        found = weigh(policy, votes.weight, votes.named, votes.stated, said)
        return found, votes.sources.get(found.trade, "model") if found.trade else "none"
    trade, confidence = votes.best()
    if trade is None or confidence < policy.document.lexicon.min_confidence_permille:
        return Weighed(None, 0, ()), "none"
    return Weighed(trade, confidence, ((trade, confidence),)), votes.sources[trade]


def _emergency(policy: Policy, alarms: Sequence[Hit], evidence: list[str]) -> tuple[str | None, tuple[str, ...]]:
    """The trade that the most specific word of an emergency sends, and all hazards named."""
    words = policy.document.lexicon.emergencies
    found: list[tuple[int, int, str]] = []
    for hit in alarms:
        for mark in hit.word.marks:
            if mark.kind != "emergency":
                continue
            if hit.negated:
                evidence.append(f"denied {hit.word.text}")
            else:
                evidence.append(f"{hit.word.text}→{mark.name}")
                found.append((-hit.word.weight, hit.at, mark.name))
    if not found:
        return None, ()
    return words[min(found)[2]].trade, tuple(dict.fromkeys(words[name].hazard for _, _, name in found))


def _trade_for(policy: Policy, hazards: tuple[str, ...]) -> str | None:
    """The trade of the first emergency, in order of name, that a named hazard belongs to."""
    for _, words in sorted(policy.document.lexicon.emergencies.items()):
        if words.hazard in hazards:
            return words.trade
    return None


def _requirements(policy: Policy, trade: str | None, hazards: Sequence[str]) -> tuple[Requirement, ...]:
    if trade is None:
        return ()
    needs = policy.trades[trade]
    papers = policy.certificates(trade, hazards)
    return (Requirement(trade=trade, min_level=needs.min_level, certificates=papers, count=needs.count),)
