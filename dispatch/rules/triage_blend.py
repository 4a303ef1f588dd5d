"""How the model of triage and the words of the lexicon come to one verdict.

| on | first | then | else |
|---|---|---|---|
| trade | the site's own words | what words, form and channel point to, weighed with the model | the front desk |
| emergency | the lexicon's words, not denied, unless the model is sure that all is well | the model | none |
| urgency | hazards, the site's own words | hints, reach, words with the model | the model, unless danger is denied |
| kind | what the channel says, if it says more than repair | repair, if a craft is found | the model |
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from dispatch.rules.policy import Policy
from dispatch.rules.triage_model import OUT_OF_SCOPE, UNCLEAR, Prediction
from dispatch.rules.words import Hit

CALM_BELOW: Final = -2.2
"""Log odds of an alarm at which a word of alarm is taken for a figure of speech, a drill, or a thing of the past."""

ALARM_ABOVE: Final = -1.1
"""Log odds at which the model alone calls it an emergency: a miss is worse than a false alarm."""

DENIED_ABOVE: Final = 3.0
"""The same where the text names emergencies only to deny them, or does not say what is the matter."""

CRAFT_IN_A_LETTER: Final = 1.6
"""By how much a letter has to be likelier than a repair, if a craft is found for what it tells."""

SURE_PERMILLE: Final = 325
"""Below this certainty the front desk is asked."""

_WORDS_WEIGH: Final = 0.5
_THINGS_WEIGH: Final = 2.0
_STATED_WEIGHS: Final = 5.0
_NAMED_FIRST: Final = 0.3
_CRAFT_STATED: Final = 4.0
_CRAFT_NAMED: Final = 1.0
_CRAFT_LIKELIER: Final = 0.3
_UNSURE: Final = 2
_LEAST: Final = 1e-4
_CERTAIN: Final = 1000


class Weighed(msgspec.Struct, frozen=True):
    """Who goes (None: the front desk), how sure that is in thousandths, and the two likeliest of all."""

    trade: str | None
    confidence_permille: int
    alternatives: tuple[tuple[str, int], ...]
    out_of_scope: bool = False


def weigh(
    policy: Policy, votes: Mapping[str, int], named: Mapping[str, int], stated: Mapping[str, int], heard: Prediction
) -> Weighed:
    """Weigh what words and channel point to with what the model makes of the whole text.

    The chance of a trade is the model's, times e to its share of all ``votes``, of the things ``named``, and of what
    the channel ``stated``, each share with a weight of its own; of several things the one named first counts a little
    more, as it does to a dispatcher. Who writes here mostly wants a craft, more so who names one of its things, most of
    all who has chosen one on a form: "out of scope" has to be so much the likelier. That a text is unclear to the model
    makes all that it may mean less likely, unless things that are named, words or channel say what it is about: then
    it speaks for these.
    """
    trades = policy.trades
    rest = max(1.0 - heard.probability - heard.second_probability, _LEAST) / len(trades)
    chances = dict.fromkeys(votes, rest)
    chances[heard.trade], chances[heard.second] = heard.probability, heard.second_probability
    unclear, pointers = chances.pop(UNCLEAR, 0.0), named or votes
    pointed = sum(pointers.values())
    for trade, said in pointers.items():
        chances[trade] += unclear * said / pointed
    scores = {
        trade: math.log(max(chance, _LEAST))
        for trade, chance in chances.items()
        if trade in trades or trade == OUT_OF_SCOPE
    }
    if not scores:
        return Weighed(None, 0, ())
    if votes:
        for weight, told in ((_WORDS_WEIGH, votes), (_THINGS_WEIGH, named), (_STATED_WEIGHS, stated)):
            share = weight / (sum(told.values()) + _UNSURE)
            for trade, said in told.items():
                scores[trade] += share * said
    if len(named) > 1 and (first := next(iter(named))) in scores:
        scores[first] += _NAMED_FIRST
    if OUT_OF_SCOPE in scores:
        scores[OUT_OF_SCOPE] -= _CRAFT_STATED if stated else _CRAFT_NAMED if named else _CRAFT_LIKELIER
    ranked = sorted([(-score, trade) for trade, score in scores.items()])
    others = max(len(trades) + 1 - len(scores), 0)
    whole = sum(map(math.exp, scores.values())) + rest * others + (0.0 if votes else unclear)
    likely = tuple([(trade, round(_CERTAIN * math.exp(-score) / whole)) for score, trade in ranked[:2]])
    best, permille = likely[0]
    is_sure = permille >= SURE_PERMILLE
    if best == OUT_OF_SCOPE or not is_sure:
        return Weighed(None, permille, likely, out_of_scope=best == OUT_OF_SCOPE and is_sure)
    return Weighed(best, permille, likely)


def site_trade(things: Sequence[Hit]) -> str | None:
    """The trade that the site's own words name, the longest of them first."""
    said = [(-hit.word.weight, hit.at, mark.name) for hit in things for mark in hit.word.marks if mark.kind == "site"]
    return min(said)[2] if said else None


def heard_kind(heard: Prediction, trade: str | None) -> str:
    """The kind that the words suggest. A fault that a craft is found for is a repair, however angry its letter."""
    return heard.kind if trade is None or heard.kind_margin > CRAFT_IN_A_LETTER else "repair"


def is_calm(heard: Prediction) -> bool:
    """Whether the model is sure that nothing is the matter now, whatever words of alarm the text has."""
    return heard.alarm < CALM_BELOW


def is_felt(heard: Prediction, alarms: Sequence[Hit]) -> bool:
    """Whether it is an emergency to the model alone; one that is denied or unclear has to sound more like one."""
    return heard.alarm > (DENIED_ABOVE if heard.trade == UNCLEAR or is_denied(alarms) else ALARM_ABOVE)


def is_denied(alarms: Sequence[Hit]) -> bool:
    """Whether the text names emergencies only to deny them."""
    named = [hit.negated for hit in alarms if any(mark.kind == "emergency" for mark in hit.word.marks)]
    return bool(named) and all(named)


def felt_trade(policy: Policy, heard: Prediction, trade: str | None) -> str | None:
    """Who goes to an emergency that the model has found: as the lexicon says for its hazard, or else who would go."""
    emergencies = sorted(policy.document.lexicon.emergencies.items())
    trades = [words.trade for _, words in emergencies if words.hazard == heard.hazard]
    if trade in trades or not trades:
        return trade or ("security" if "security" in policy.trades else None)
    return trades[0]
