"""Clocks: promises that run, pause, warn, break and stop. Pure arithmetic on :class:`~dispatch.rules.state.Clock`.

Every change that moves the next timer raises ``version``, and with it the timer's id
``order:cycle:kind:version``; a timer that comes back with an older id is stale and has no effect.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dispatch.models.policy import SlaRule
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, Order

PROMISED_TO = {"triage": "reporter", "accept": "desk", "confirm": "desk"}


def start(policy: Policy, rule: SlaRule, name: str, at: datetime, due_at: datetime | None = None) -> Clock:
    """A running clock of the rule's target ``name``, from ``at``; a ``due_at`` promised outside overrides."""
    target = rule.targets[name]  # type: ignore[index]  # a plain name from the caller's own table
    calendar_id = target.calendar or rule.calendar
    target_s = target.within
    if due_at is not None:
        calendar_id, target_s = "", max(0, int((due_at - at).total_seconds()))
    due = due_at or policy.calendar(calendar_id).add(at, target_s)
    clock = Clock(
        name=name,
        target_s=target_s,
        calendar_id=calendar_id,
        ladder=target.ladder or rule.ladder,
        started_at=at,
        resumed_at=at,
        due_at=due,
        due_at_original=due,
        promised_to=PROMISED_TO.get(name, "reporter"),
        warn_permille=rule.warn_at_permille,
    )
    return replace(clock, warn_at=_warnings(policy, clock, at))


def _add(policy: Policy, clock: Clock, at: datetime, seconds: int) -> datetime:
    if not clock.calendar_id:
        return at + timedelta(seconds=seconds)
    return policy.calendar(clock.calendar_id).add(at, seconds)


def working_s(policy: Policy, clock: Clock, start_at: datetime, end_at: datetime) -> int:
    """Working seconds between two moments on the clock's calendar; never negative."""
    if end_at <= start_at:
        return 0
    if not clock.calendar_id:
        return int((end_at - start_at).total_seconds())
    return policy.calendar(clock.calendar_id).between(start_at, end_at)


def _warnings(policy: Policy, clock: Clock, at: datetime) -> tuple[datetime, ...]:
    budget_s = clock.target_s + clock.extended_s
    if budget_s == 0:
        return ()
    points = (budget_s * permille // 1000 - clock.elapsed_s for permille in clock.warn_permille)
    return tuple(_add(policy, clock, at, max(0, point)) for point in points)


def pause(policy: Policy, clock: Clock, at: datetime, reason: str) -> Clock:
    """The clock standing still from ``at``; a clock that does not run is returned as it is."""
    if clock.state != "running":
        return clock
    spent_s = working_s(policy, clock, clock.resumed_at, at)
    return replace(
        clock,
        state="paused",
        paused_at=max(at, clock.resumed_at),
        pause_reason=reason,
        elapsed_s=clock.elapsed_s + spent_s,
        version=clock.version + 1,
    )


def resume(policy: Policy, clock: Clock, at: datetime) -> Clock:
    """The clock running again with what was left; what it stood still for is added up by reason."""
    if clock.state != "paused" or clock.paused_at is None:
        return clock
    reason = clock.pause_reason or ""
    waited_s = max(0, int((at - clock.paused_at).total_seconds()))
    running = replace(
        clock,
        paused_s={**clock.paused_s, reason: clock.paused_s.get(reason, 0) + waited_s},
    )
    return _rearm(policy, running, at)


def _rearm(policy: Policy, clock: Clock, at: datetime) -> Clock:
    running = replace(
        clock, state="running", resumed_at=at, paused_at=None, pause_reason=None, version=clock.version + 1
    )
    if running.breached_at is not None:
        return running
    left_s = max(0, running.target_s + running.extended_s - running.elapsed_s)
    due_at = _add(policy, running, at, left_s)
    return replace(running, due_at=due_at, warn_at=_warnings(policy, running, at))


def extend(policy: Policy, clock: Clock, until: datetime) -> Clock:
    """The clock with its due moment moved to ``until``; the original promise stays on record."""
    extra_s = int((until - clock.due_at).total_seconds())
    moved = replace(
        clock, due_at=until, extended_s=clock.extended_s + extra_s, version=clock.version + 1, rung_at=None
    )
    if clock.breached_at is not None and until > clock.breached_at:
        moved = replace(moved, breached_at=None, rung=0)
    return replace(moved, warn_at=_warnings(policy, moved, moved.resumed_at))


def stop(policy: Policy, clock: Clock, fact_at: datetime) -> Clock:
    """The clock stopped by a fact at ``fact_at``, with its verdict: met at or before the due moment."""
    end_at = clock.paused_at or fact_at
    spent_s = working_s(policy, clock, clock.resumed_at, fact_at) if clock.paused_at is None else 0
    verdict = "met" if fact_at <= clock.due_at or clock.state == "paused" and clock.breached_at is None else "breached"
    corrected = clock.breached_at is not None and verdict == "met"
    return replace(
        clock,
        state="stopped",
        stopped_at=fact_at,
        paused_at=None,
        pause_reason=None,
        paused_s=_with_open_pause(clock, max(end_at, fact_at)),
        elapsed_s=clock.elapsed_s + spent_s,
        verdict=verdict,
        verdict_revision=clock.verdict_revision + (1 if corrected else 0),
        rung_at=None,
        version=clock.version + 1,
    )


def _with_open_pause(clock: Clock, at: datetime) -> dict[str, int]:
    if clock.paused_at is None:
        return clock.paused_s
    reason = clock.pause_reason or ""
    waited_s = max(0, int((at - clock.paused_at).total_seconds()))
    return {**clock.paused_s, reason: clock.paused_s.get(reason, 0) + waited_s}


def cancel(clock: Clock, at: datetime) -> Clock:
    """The clock ended without a verdict."""
    return replace(clock, state="cancelled", stopped_at=at, rung_at=None, version=clock.version + 1)


def reopen(policy: Policy, clock: Clock, at: datetime) -> Clock:
    """A stopped clock running again: its verdict is void, what had elapsed stays, the wait in between is left out."""
    void = replace(clock, stopped_at=None, verdict=None, verdict_revision=clock.verdict_revision + 1)
    return _rearm(policy, void, at)


def next_timer(order: Order) -> tuple[datetime, str] | None:
    """The order's earliest timer as (due moment, id), or None."""
    found: tuple[datetime, str] | None = None
    for at, kind, version in _timers(order):
        if found is None or (at, kind) < (found[0], found[1]):
            found = (at, kind)
            chosen = version
    if found is None:
        return None
    return found[0], f"{order.id}:{order.cycle}:{found[1]}:{chosen}"


def _timers(order: Order) -> list[tuple[datetime, str, int]]:
    if order.is_final:
        return []
    timers: list[tuple[datetime, str, int]] = []
    for clock in order.clocks.values():
        if clock.state != "running":
            continue
        if clock.breached_at is None:
            timers.append((clock.due_at, f"{clock.name}.breach", clock.version))
            if clock.warned < len(clock.warn_at) and clock.warn_at[clock.warned] < clock.due_at:
                timers.append((clock.warn_at[clock.warned], f"{clock.name}.warn", clock.version))
        elif clock.rung_at is not None:
            timers.append((clock.rung_at, f"{clock.name}.rung", clock.version))
    timers.extend(
        (leg.expires_at, f"offer.{leg.assignment_id}", leg.version)
        for leg in order.legs
        if leg.state == "offered" and leg.expires_at is not None
    )
    if order.hold is not None and order.hold.expected_resume_at is not None and not order.hold.reminded:
        timers.append((order.hold.expected_resume_at, "hold", order.cycle))
    return timers
