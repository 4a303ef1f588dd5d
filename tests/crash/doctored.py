"""Controls on copies: a good run's topics with one thing changed by hand, and what the checks say of it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from dispatch.stores.redis import RedisStore, connect
from dispatch.topics import COMPLETIONS, WORK_ORDERS
from tests.crash.checks_ids import out_of_order, same_id_other_bytes
from tests.crash.checks_state import Folded, other_state
from tests.crash.checks_timers import check_timers
from tests.crash.recorded import Rec, Recorded, happened
from tests.crash.stage import Stage
from tests.crash.verdict import Verdict

Change = Callable[[list[Rec]], Iterator[Rec]]


async def doctored(recorded: Recorded, stage: Stage, ended_at_s: float, good: Verdict) -> dict[str, Any]:
    """By change: the counter that must see it, and how much more it says than of the run as it was (``good``)."""

    def copy(topic: str, change: Change) -> Recorded:
        return Recorded({**recorded.topics, topic: list(change(recorded.topics[topic]))})

    def told(counter: str, found: Sequence[str]) -> dict[str, Any]:
        return {"counter": counter, "seen": len(found) - good.counts[counter], "doctored": True}

    batch_gone = copy(WORK_ORDERS, _batch_gone)
    client = connect(stage.redis)
    try:
        states = await other_state(batch_gone, Folded(batch_gone), RedisStore(client))
    finally:
        await client.aclose()
    stopped = check_timers(copy(WORK_ORDERS, _clock_stopped), stage, ended_at_s)
    return {
        "event_missing": told("out_of_order", list(out_of_order(copy(WORK_ORDERS, _one_gone)))),
        "copy_differs": told("same_id_other_bytes", list(same_id_other_bytes(copy(COMPLETIONS, _copy_differs)))),
        "clock_stopped_before": told("early_escalations", stopped.early),
        "batch_gone": told("other_state", states),
    }


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
        if event.type != "work-order.opened" or event.subject != broken.subject:
            yield rec
            continue
        data = event.data
        for clock in data["targets"]:
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
