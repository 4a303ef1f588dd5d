"""How much a report presses: a hazard, the site's words, the channel, the reach, the lexicon and the model."""

from collections.abc import Sequence
from typing import Final

from dispatch.models.policy_base import URGENCIES
from dispatch.rules.triage_blend import is_denied
from dispatch.rules.triage_look import PRESSING
from dispatch.rules.triage_model import Prediction
from dispatch.rules.words import Hit

_WIDE_IMPACTS: Final = frozenset({"building", "campus"})
_WORD_PRESSES: Final = 2.0


def urgency_of(
    known: frozenset[str],
    alarms: list[Hit],
    hazards: tuple[str, ...],
    hint: str | None,
    impact: str | None,
    heard: Prediction | None,
    evidence: list[str],
) -> str:
    """A hazard decides that is ``known`` to the lexicon; else the site's own words; else the most urgent of all others.

    The others are the channel's ``hint``, the reach (``impact``), other hazards, and what words and model make of it.
    The model reads pieces and not who denies what: a text that denies an emergency is normal if no word says more.
    """
    if any(each in known for each in hazards):
        return "emergency"
    words, ours = _said(alarms, "urgency"), _said(alarms, "site_urgency")
    told = [(str(hint), "hint")] if hint in URGENCIES else []
    if hazards:
        told.append(("urgent", "hazard"))
    if impact in _WIDE_IMPACTS:
        told.append(("urgent", "impact"))
    said = ours or words + told
    if heard is not None and not ours and (words or not (told or is_denied(alarms))):
        urgency = _heard(heard, words)
        if told:
            urgency = _most([*told, (urgency, "")])
    else:
        urgency = _most(said)
    evidence += [f"{word}→{name}" for name, word in said if name == urgency]
    return urgency


def _said(alarms: Sequence[Hit], kind: str) -> list[tuple[str, str]]:
    """What the words of a kind say that are not denied, and these words."""
    return [
        (mark.name, hit.word.text) for hit in alarms if not hit.negated for mark in hit.word.marks if mark.kind == kind
    ]


def _most(said: Sequence[tuple[str, str]]) -> str:
    """The most urgent of what is said; normal if nothing is."""
    return min((name for name, _ in said), key=URGENCIES.index, default="normal")


def _heard(heard: Prediction, words: Sequence[tuple[str, str]]) -> str:
    """How much a text presses. What words of the lexicon say of it counts for much, and yields to all the others."""
    speaks = heard.pressing
    if words:
        said = _most(words)
        if said == "emergency":
            return said
        adds = [_WORD_PRESSES if name == said else 0.0 for name in PRESSING]
        speaks = [weight + more for weight, more in zip(speaks, adds, strict=True)]
    return PRESSING[speaks.index(max(speaks))]
