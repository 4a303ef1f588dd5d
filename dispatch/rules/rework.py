"""Rework found by the machine (返修): a fault that was repaired not long ago is reported again, whatever anybody ticks.

A new report is rework of an order if all of this holds:

- both are repairs of one trade, and the order's work was done with a disposition of ``rework.after``;
- the report is of the same asset; or of the same room (two assets of one room are two things) in words that are alike;
- it was noticed after that work was done, at the most the trade's window later.

Alike: both texts are taken to pieces, two characters or one English word each. A piece of a thing that the lexicon
knows (龙头, faucet) weighs 4, of a symptom (漏水, leak) 2, of anything else 1. What they share over what the lighter
text weighs is how alike they are, in thousandths. So a tap that drips is not the toilet that is blocked, in one room;
a text in Chinese and one in English share nothing, and are left to people.
"""

import re
from datetime import datetime, timedelta
from typing import Final

from dispatch.rules.draft import Draft
from dispatch.rules.policy import Policy
from dispatch.rules.recent import TEXT_KEPT, done_of, keys_of
from dispatch.rules.state import Data, Done, Order, moment_of, text_of
from dispatch.rules.words import WordIndex, fold

LINK: Final = "rework_of"
_KIND: Final = "repair"
_DAY_S: Final = 86_400
_RUN = re.compile(r"[\u4e00-\u9fff]+|[a-z]{3,}")
_ZH: Final = "\u4e00"
_STEM: Final = 5
_WEIGHTS: Final = {"trade": 4, "site": 4, "symptom": 2}


def watched_until(draft: Draft, order: Order) -> str | None:
    """Until when a like report is rework of an order that is being closed; None if it never is."""
    if order.completion is None or not _is_done(draft.policy_of(order), order):
        return None
    window_s = draft.policy_of(order).rework_window_s(order.trade)
    until = done_of(order).completed_at + timedelta(seconds=window_s)
    return text_of(until) if until > draft.now else None


def rework_facts(draft: Draft, data: Data) -> Data | None:
    """What an opening says if it is rework: of which order, when, by whom, and why that is thought; else None.

    ``data`` is what intake made of the report, or the same of an order that the desk has classified.
    """
    needs = data["requirements"]
    if data["kind"] != _KIND or not needs:
        return None
    trade = needs[0]["trade"]
    window_s = draft.policy.rework_window_s(trade)
    if not window_s:
        return None
    there = _done_there(draft, data, trade)
    if not there:
        return None
    noticed_at = moment_of(data.get("noticed_at") or data["reported_at"])
    for done in sorted(there, key=lambda one: one.completed_at, reverse=True):
        if 0 < (noticed_at - done.completed_at).total_seconds() <= window_s:
            same, alike = _same(draft.policy, done, data)
            if same is not None:
                return _facts(done, same, alike, noticed_at, window_s)
    return None


def with_rework(data: Data, rework: Data) -> list[Data]:
    """The links of an opening that is rework."""
    return [*(data.get("links") or ()), {"type": LINK, "id": rework["of_id"]}]


def _is_done(policy: Policy, order: Order) -> bool:
    done = order.completion or {}
    return order.kind == _KIND and done.get("disposition") in policy.document.rework.after


def _done_there(draft: Draft, data: Data, trade: str) -> list[Done]:
    """The last work of the place: of a closed order, and of those that only wait to be accepted."""
    drill = bool(data["drill"])
    notes = [draft.recent_at(key) for key in keys_of(data["location"], trade, drill=drill)]
    still_open = draft.territory.open_at(data["location"], trade)
    waiting = [one for one in still_open if one.state == "completed" and one.drill == drill]
    return [
        *(done for done in notes if done is not None),
        *(done_of(order) for order in waiting if _is_done(draft.policy, order)),
    ]


def _same(policy: Policy, done: Done, data: Data) -> tuple[str | None, int]:
    """What is the same of the two, asset or room (None: neither), and how alike their words are."""
    asset_id = data["location"].get("asset_id")
    alike = alike_permille(policy, done.text, data["text"])
    if asset_id and asset_id == done.asset_id:
        return "asset", alike
    if asset_id and done.asset_id:
        return None, alike
    return ("room" if alike >= policy.document.rework.alike_permille else None), alike


def alike_permille(policy: Policy, one: str, other: str) -> int:
    """How alike two reports are, in thousandths, as the module says; 0 where one has no words."""
    index = policy.compiled(WordIndex)
    first, second = _pieces(index, one), _pieces(index, other)
    lighter = min(sum(first.values()), sum(second.values()))
    if not lighter:
        return 0
    shared = sum(min(weight, second[piece]) for piece, weight in first.items() if piece in second)
    return 1000 * shared // lighter


def _pieces(index: WordIndex, text: str) -> dict[str, int]:
    folded = fold(text[:TEXT_KEPT])
    weights = dict.fromkeys(_cut(folded), 1)
    things, _alarms = index.scan(folded)
    for hit in things:
        weight = max((_WEIGHTS.get(mark.kind, 1) for mark in hit.word.marks), default=1)
        for piece in _cut(hit.word.text) or [hit.word.text]:
            weights[piece] = max(weight, weights.get(piece, 0))
    return weights


def _cut(text: str) -> list[str]:
    """Each two characters of Chinese that stand together, and the beginnings of English words."""
    found: list[str] = []
    for run in _RUN.findall(text):
        if run[0] >= _ZH:
            found += [run[at : at + 2] for at in range(len(run) - 1)]
        else:
            found.append(run[:_STEM])
    return found


def _facts(done: Done, same: str, alike: int, noticed_at: datetime, window_s: int) -> Data:
    days = int((noticed_at - done.completed_at).total_seconds()) // _DAY_S
    facts: Data = {
        "of_id": done.order_id,
        "basis": "machine",
        "window_days": window_s // _DAY_S,
        "completed_at": text_of(done.completed_at),
        "days": days,
        "technician_ids": list(done.technicians),
        "same": same,
        "alike_permille": alike,
        "why": _why(done, same, alike, days),
    }
    if done.closed_at is not None:
        facts["closed_at"] = text_of(done.closed_at)
    return facts


def _why(done: Done, same: str, alike: int, days: int) -> dict[str, str]:
    percent = alike // 10
    zh = "同一设备" if same == "asset" else f"同一房间、描述相近（{percent}%）"
    en = "the same asset" if same == "asset" else f"the same room in like words ({percent}%)"
    when_zh, when_en = (f"{days}天前", f"{days} day{'s' * (days > 1)} ago") if days else ("不到一天前", "within a day")
    return {
        "zh": f"返修：{zh}，同工种，{when_zh}刚修过（{done.order_id}）。",
        "en": f"Rework: {en}, the same trade, repaired {when_en} ({done.order_id}).",
    }
