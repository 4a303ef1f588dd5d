"""Which promises an order makes, and how they change with what is learnt of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from dispatch.errors import Rejected
from dispatch.models.policy import ClockName
from dispatch.rules import clocks
from dispatch.rules.draft import Draft, change_clocks, end_escalations
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, Data, Order

SERVICE_CLOCKS: tuple[ClockName, ...] = ("accept", "arrive", "make_safe", "resolve")


def new_clocks(
    policy: Policy,
    question: tuple[str, str | None, str, tuple[str, ...], str],
    since: datetime,
    *,
    triage: bool,
    due_at: datetime | None = None,
    before: Mapping[str, Clock] | None = None,
) -> list[Clock]:
    """The promises for (urgency, trade, territory, area path, kind), counted from ``since``.

    ``due_at`` was promised outside and overrides resolve. ``before`` are the clocks that the order had.
    """
    rule = policy.sla(*question)
    names: Iterable[ClockName] = ("triage",) if triage else SERVICE_CLOCKS
    known = before or {}
    return [
        clocks.start(policy, rule, name, since, due_at if name == "resolve" else None, known.get(name))
        for name in names
        if name in rule.targets
    ]


def promises_of(draft: Draft, order: Order, since: datetime) -> list[Clock]:
    """The promises of an order as it is now, as if none had been made."""
    return new_clocks(
        draft.policy_of(order),
        (order.urgency, order.trade, draft.territory.id, order.area_path, order.kind),
        since,
        triage=order.needs_triage,
        due_at=order.due_at if order.cycle == 1 else None,
        before=order.clocks,
    )


def promised_since(order: Order) -> datetime:
    """From when this cycle's promises count: the report, or the reopening."""
    resolve = order.clocks.get("resolve")
    return resolve.started_at if resolve else order.reported_at


def start_missing(draft: Draft, order: Order, since: datetime, reason: str) -> Order:
    """Start the promises that the order has no clock of."""
    fresh = [clock for clock in promises_of(draft, order, since) if clock.name not in order.clocks]
    return change_clocks(draft, order, "clock.started", fresh, reason)


def promise_anew(draft: Draft, order: Order, reason: str) -> Order:
    """Live clocks take the targets that trade, urgency and kind promise now; what is promised no more is cancelled.

    What has elapsed and the pauses stay; a promise made before counts from the report as before.
    """
    policy = draft.policy_of(order)
    fresh = {clock.name: clock for clock in promises_of(draft, order, promised_since(order))}
    changed: list[Clock] = []
    dropped: list[Clock] = []
    for name, clock in fresh.items():
        old = order.clocks.get(name)
        after = clock if old is None or old.state == "cancelled" else clocks.retarget(policy, old, clock)
        if after is not old:
            changed.append(after)
    for name, old in order.clocks.items():
        if old.is_live and name not in fresh and name != "confirm":
            dropped.append(clocks.cancel(old, draft.now))
    order = change_clocks(draft, order, "clock.cancelled", dropped, reason)
    names = {clock.name for clock in dropped}
    order = end_escalations(draft, order, lambda escalation: escalation.clock in names)
    return change_clocks(draft, order, "clock.started", changed, reason)


def needs_of(draft: Draft, trade: str, count: int | None = None, hazards: Iterable[str] = ()) -> list[Data]:
    """What a task of the trade with such hazards needs by the catalogue; Rejected ``unknown-trade``."""
    known = draft.policy.document.trades.get(trade)
    if known is None:
        raise Rejected("unknown-trade", f"no trade {trade!r} in the catalogue", "trade")
    return [
        {
            "trade": trade,
            "min_level": known.min_level,
            "certificates": list(draft.policy.certificates(trade, hazards)),
            "count": count or known.count,
        }
    ]


def known_needs(draft: Draft, items: Iterable[Data]) -> list[Data]:
    """Requirements that a person gave, whole; Rejected ``unknown-trade``."""
    needs: list[Data] = []
    for item in items:
        standard = needs_of(draft, item["trade"])[0]
        needs.append(standard | {"count": 1} | {name: value for name, value in item.items() if value is not None})
    return needs
