"""What the words of a report, its form and its channel point to, before the model of triage is asked."""

from collections.abc import Sequence
from typing import Literal

from dispatch.rules.policy import Policy
from dispatch.rules.words import Hit, WordIndex, fold

CERTAIN = 1000
"""All of a certainty, in thousandths."""

Source = Literal["lexicon", "hint", "category", "model", "none"]

_HINT_WEIGHT = 12
_CATEGORY_WEIGHT = 16
_UNSURE = 2
_QUOTE_LIMIT = 40


class Votes:
    """The weight that each trade has collected, where it was first named, and what said so.

    ``named`` is the weight of things alone, without symptoms; ``stated`` that of a channel's hint and category.
    """

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.weight: dict[str, int] = {}
        self.first: dict[str, int] = {}
        self.sources: dict[str, Source] = {}
        self.named: dict[str, int] = {}
        self.stated: dict[str, int] = {}
        self._counted: set[tuple[str, str]] = set()

    def add(self, trade: str, weight: int, at: int, source: Source) -> None:
        """Count for ``trade``; of several sources the first one counted is named."""
        if trade not in self.weight:
            self.weight[trade], self.first[trade], self.sources[trade] = weight, at, source
            return
        self.weight[trade] += weight
        self.first[trade] = min(at, self.first[trade])

    def hits(self, hits: list[Hit], source: Source) -> None:
        """Count each different word once."""
        for hit in hits:
            for trade, weight in hit.word.votes:
                counted = (hit.word.text, trade)
                if counted not in self._counted:
                    self._counted.add(counted)
                    self.add(trade, weight, hit.at, source)
                    if weight == hit.word.weight:  # a symptom has half of it
                        self.named[trade] = self.named.get(trade, 0) + weight

    def best(self) -> tuple[str | None, int]:
        """The winner, and how sure it is, in thousandths."""
        if not self.weight:
            return None, 0
        if len(self.weight) == 1:
            trade, weight = next(iter(self.weight.items()))
            return trade, CERTAIN * weight // (weight + _UNSURE)
        trade = min(self.weight, key=lambda each: (-self.weight[each], self.first[each], each))
        return trade, CERTAIN * self.weight[trade] // (sum(self.weight.values()) + _UNSURE)


class Pointers:
    """The words found in a report and its form: ``things`` and ``alarms`` as :meth:`WordIndex.scan` gives them.

    ``named`` are the trades that words of the text itself point to, ``tasks`` the hazards of work that takes more than
    its trade, ``evidence`` what was found, for people.
    """

    def __init__(self, policy: Policy, folded: str, category: str | None, trade_hint: str | None) -> None:
        """Look for the lexicon's words in a folded text, and count what the channel says beside it."""
        index = policy.compiled(WordIndex)
        self.things, self.alarms = index.scan(folded)
        self.evidence = [said for hit in self.things for said in hit.word.evidence]
        self.votes = Votes()
        self.votes.hits(self.things, "lexicon")
        self.named = tuple(self.votes.weight)
        if trade_hint:
            _hint(policy, self.votes, trade_hint, self.evidence)
        if category:
            self.alarms += _category(policy, index, self.votes, category, self.evidence)
        self.tasks = _tasks(self.alarms, self.evidence)


def _hint(policy: Policy, votes: Votes, hint: str, evidence: list[str]) -> None:
    if hint in policy.trades:
        votes.add(hint, _HINT_WEIGHT, 0, "hint")
        votes.stated[hint] = votes.stated.get(hint, 0) + _HINT_WEIGHT
        evidence.append(f"hint→{hint}")
    else:
        evidence.append(f"unknown hint {hint[:_QUOTE_LIMIT]!r}")


def _category(policy: Policy, index: WordIndex, votes: Votes, category: str, evidence: list[str]) -> list[Hit]:
    """A category is a trade's id, or words like any others. Gives its alarms."""
    if category in policy.trades:
        votes.add(category, _CATEGORY_WEIGHT, 0, "category")
        votes.stated[category] = votes.stated.get(category, 0) + _CATEGORY_WEIGHT
        evidence.append(f"category→{category}")
        return []
    things, alarms = index.scan(fold(category))
    votes.hits(things, "category")
    evidence += [said for hit in things for said in hit.word.evidence]
    return alarms


def _tasks(alarms: Sequence[Hit], evidence: list[str]) -> tuple[str, ...]:
    """Work that takes more than its trade: its hazards, as far as words name them."""
    found = [(hit, mark) for hit in alarms for mark in hit.word.marks if mark.kind == "task" and not hit.negated]
    evidence += [f"{hit.word.text}→{mark.name}" for hit, mark in found]
    return tuple(dict.fromkeys(mark.name for _, mark in found))
