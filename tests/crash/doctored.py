"""Controls on copies: a good run's topics with one thing changed by hand, and what the checks say of it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from dispatch.topics import COMPLETIONS, WORK_ORDERS
from tests.crash.recorded import Rec, Recorded, happened
from tests.crash.stage import Stage
from tests.crash.verdict import judge, judge_with_store


async def doctored(recorded: Recorded, stage: Stage, ended_at_s: float, late_s: float) -> dict[str, Any]:
    """By change: the counter that must see it, and how much more it says than of the run as it was."""
    before = judge(recorded, stage, ended_at_s, late_s)[0].counts
    result: dict[str, Any] = {}
    for name, (topic, counter, change) in CHANGES.items():
        changed = Recorded({**recorded.topics, topic: list(change(recorded.topics[topic]))})
        verdict = judge(changed, stage, ended_at_s, late_s)[0]
        seen = verdict.counts[counter] - before[counter]
        result[name] = {"counter": counter, "seen": seen, "doctored": True}
    shorter = Recorded({**recorded.topics, WORK_ORDERS: list(_batch_gone(recorded.topics[WORK_ORDERS]))})
    verdict = await judge_with_store(shorter, stage, ended_at_s, late_s)
    result["batch_gone"] = {"counter": "other_state", "seen": verdict.counts["other_state"], "doctored": True}
    return result


def _one_gone(recs: list[Rec]) -> Iterator[Rec]:
    """An event in the middle of the log is missing."""
    gone = recs[len(recs) // 2]
    identity = dict(gone.headers)["ce_id"]
    yield from (rec for rec in recs if dict(rec.headers)["ce_id"] != identity)


def _copy_differs(recs: list[Rec]) -> Iterator[Rec]:
    """A copy has one byte more than the log."""
    yield from (replace(rec, value=rec.value + b" ") if n == 0 else rec for n, rec in enumerate(recs))


def _clock_stopped(recs: list[Rec]) -> Iterator[Rec]:
    """A clock that breaks has been stopped before, as its own start says."""
    broken = next(happened(rec) for rec in recs if happened(rec).type == "clock.breached")
    name = broken.data["clocks"][0]["name"]
    for rec in recs:
        event = happened(rec)
        if event.type != "clock.started" or event.subject != broken.subject:
            yield rec
            continue
        data = event.data
        for clock in data["clocks"]:
            if clock["name"] == name:
                clock["state"] = "stopped"
        yield replace(rec, value=json.dumps(data).encode())


def _batch_gone(recs: list[Rec]) -> Iterator[Rec]:
    """A batch that opened an order never reached the log."""
    opened = next(happened(rec) for rec in recs[len(recs) // 2 :] if happened(rec).type == "work-order.opened")
    ends = [happened(rec) for rec in recs if happened(rec).type == "lane.decided"]
    end = next(one for one in ends if one.territory == opened.territory and one.sequence > opened.sequence)
    for rec in recs:
        event = happened(rec)
        inside = end.sequence - end.data["events"] <= event.sequence <= end.sequence
        if event.territory != end.territory or not inside:
            yield rec


CHANGES: dict[str, tuple[str, str, Callable[[list[Rec]], Iterator[Rec]]]] = {
    "event_missing": (WORK_ORDERS, "out_of_order", _one_gone),
    "copy_differs": (COMPLETIONS, "same_id_other_bytes", _copy_differs),
    "clock_stopped_before": (WORK_ORDERS, "early_escalations", _clock_stopped),
}
