"""Where, when and for whom a fault is more urgent than it sounds: the rows of ``urgency.yaml``, each with its reason.

A row raises only, and only repairs: a letter and planned work have times of their own. Of several rows that hold, the
one that raises most decides; all that it was raised by stand in the evidence.
"""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from dispatch.models.policy_base import URGENCIES
from dispatch.models.policy_words import Raise, Words
from dispatch.rules.policy import Policy, fits
from dispatch.rules.triage import Classification
from dispatch.rules.words import fold

_SECONDS = (3600, 60, 1)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a report beside its words: its place, its moment (aware), and who reports."""

    territory: str
    area_path: tuple[str, ...]
    reported_at: datetime
    vulnerable: bool = False


class _Rows:
    """The rows of a policy and what their words look like; use through ``policy.compiled(_Rows)``."""

    def __init__(self, policy: Policy) -> None:
        self.zone = ZoneInfo(policy.site.timezone)
        self.all = [(row, _pattern(row.words)) for row in policy.document.urgency]


def in_context(policy: Policy, verdict: Classification, text: str, context: Context) -> Classification:
    """The verdict, its urgency raised if rows of the policy say so for this report (``text``: all that was said)."""
    rows = policy.compiled(_Rows)
    if not rows.all or verdict.kind != "repair":
        return verdict
    local, folded = context.reported_at.astimezone(rows.zone), fold(text)
    question = (verdict.urgency, verdict.trade, context.territory, context.area_path, verdict.kind)
    holding = [
        row
        for row, words in rows.all
        if URGENCIES.index(row.to) < URGENCIES.index(verdict.urgency)
        and fits(row.when, *question)
        and _is_then(row, local)
        and (context.vulnerable or not row.vulnerable)
        and (words is None or words.search(folded))
    ]
    if not holding:
        return verdict
    to = min((row.to for row in holding), key=URGENCIES.index)
    said = tuple(f"{row.id}: {verdict.urgency}→{row.to}" for row in holding)
    return msgspec.structs.replace(verdict, urgency=to, evidence=(*verdict.evidence, *said))


def _is_then(row: Raise, local: datetime) -> bool:
    """Whether it is one of the row's days, and one of its times, both by the site's wall clock."""
    if (row.since and local.date() < row.since) or (row.until and local.date() > row.until):
        return False
    second = sum(each * part for each, part in zip(_SECONDS, (local.hour, local.minute, local.second), strict=True))
    return not row.hours or any(start <= second < end for start, end in row.hours)


def _pattern(words: Words) -> re.Pattern[str] | None:
    """Chinese words anywhere, English ones as whole words, also in the plural; None if none are asked for."""
    zh = [re.escape(fold(each)) for each in words.zh]
    en = [rf"(?<![a-z0-9]){re.escape(fold(each))}(?:s|es)?(?![a-z0-9])" for each in words.en]
    return re.compile("|".join([*zh, *en])) if zh or en else None
