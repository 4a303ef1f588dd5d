"""Clocks: promises that run, pause, warn, break and stop. Pure arithmetic on :class:`~dispatch.rules.state.Clock`.

Every change that moves the next timer raises ``version``, and with it the timer's id
``order:cycle:kind:version``; a timer that comes back with an older id is stale and has no effect.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from dispatch.models.policy import ClockName, SlaRule
from dispatch.rules.policy import Policy
from dispatch.rules.state import Clock, Stopped

PROMISED_TO = {"triage": "reporter", "accept": "desk", "confirm": "desk"}


class Promise(NamedTuple):
    """A target of a rule as clocks of it begin: everything that does not depend on when.

    ``span`` and ``warn_spans`` are for a calendar that never closes, None and empty for any other. ``rule`` is kept,
    so that nothing else takes its place in memory.
    """

    rule: SlaRule
    target_s: int
    calendar_id: str
    ladder: str
    promised_to: str
    warn_permille: tuple[int, ...]
    span: timedelta | None
    warn_spans: tuple[timedelta, ...]


def _promise(policy: Policy, rule: SlaRule, name: ClockName) -> Promise:
    target = rule.targets[name]
    calendar_id = target.calendar or rule.calendar
    permille = rule.warn_at_permille
    is_always = policy.calendar(calendar_id).always
    points = [target.within * each // 1000 for each in permille] if is_always and target.within else []
    return Promise(
        rule=rule,
        target_s=target.within,
        calendar_id=calendar_id,
        ladder=target.ladder or rule.ladder,
        promised_to=PROMISED_TO.get(name, "reporter"),
        warn_permille=permille,
        span=timedelta(seconds=target.within) if is_always else None,
        warn_spans=tuple([timedelta(seconds=each) for each in points]),
    )


def _promises(_policy: Policy) -> dict[tuple[int, str], Promise]:
    return {}


def promise(policy: Policy, rule: SlaRule, name: ClockName) -> Promise:
    """The target ``name`` of a rule of the policy, looked up once."""
    known = policy.compiled(_promises)
    question = (id(rule), name)
    found = known.get(question)
    if found is None:
        found = known[question] = _promise(policy, rule, name)
    return found


def start(
    policy: Policy,
    rule: SlaRule,
    name: ClockName,
    at: datetime,
    due_at: datetime | None = None,
    before: Clock | None = None,
) -> Clock:
    """A running clock of the rule's target ``name``, from ``at``; a ``due_at`` promised outside overrides.

    A clock whose due moment was promised outside has no calendar: its seconds are those of the wall. ``before`` is
    the order's earlier clock of this name: its timers and its breach are never taken for those of the new one.
    """
    _, target_s, calendar_id, ladder, promised_to, permille, span, warn_spans = promise(policy, rule, name)
    warn_at: Iterable[datetime]
    if due_at is not None:
        calendar_id, target_s = "", max(0, int((due_at - at).total_seconds()))
        due = due_at
        warn_at = [at + timedelta(seconds=target_s * each // 1000) for each in permille] if target_s else []
    elif span is not None:
        due = at + span
        warn_at = [at + each for each in warn_spans]
    else:
        add = policy.calendar(calendar_id).add
        due = add(at, target_s)
        warn_at = [add(at, target_s * each // 1000) for each in permille] if target_s else []
    return Clock(
        name=name,
        target_s=target_s,
        calendar_id=calendar_id,
        ladder=ladder,
        started_at=at,
        resumed_at=at,
        due_at=due,
        due_at_original=due,
        promised_to=promised_to,
        warn_permille=permille,
        warn_at=tuple(warn_at),
        version=before.version + 1 if before else 1,
        verdict_revision=before.verdict_revision + 1 if before else 0,
    )


def _add(policy: Policy, calendar_id: str, at: datetime, seconds: int) -> datetime:
    if not calendar_id:
        return at + timedelta(seconds=seconds)
    return policy.calendar(calendar_id).add(at, seconds)


def working_s(policy: Policy, clock: Clock, start_at: datetime, end_at: datetime) -> int:
    """Working seconds between two moments on the clock's calendar; never negative."""
    if end_at <= start_at:
        return 0
    if not clock.calendar_id:
        return int((end_at - start_at).total_seconds())
    return policy.calendar(clock.calendar_id).between(start_at, end_at)


def _aim(policy: Policy, clock: Clock, at: datetime) -> Clock:
    """The clock's next due moment and warnings, with what is left of its budget counted from ``at``."""
    budget_s = clock.target_s + clock.extended_s
    points = [budget_s * permille // 1000 - clock.elapsed_s for permille in clock.warn_permille] if budget_s else []
    return replace(
        clock,
        due_at=_add(policy, clock.calendar_id, at, max(0, budget_s - clock.elapsed_s)),
        warn_at=tuple([_add(policy, clock.calendar_id, at, max(0, point)) for point in points]),
    )


def pause(policy: Policy, clock: Clock, at: datetime, reason: str) -> Clock:
    """The clock standing still from ``at``; one that does not run is returned as it is.

    A breach that was announced after ``at`` is void: the clock stood still already.
    """
    if clock.state != "running":
        return clock
    at = max(at, clock.resumed_at)
    paused = replace(
        clock,
        state="paused",
        paused_at=at,
        pause_reason=reason,
        elapsed_s=clock.elapsed_s + working_s(policy, clock, clock.resumed_at, at),
        version=clock.version + 1,
    )
    return _unbroken(paused) if clock.breached_at is not None and at < clock.breached_at else paused


def _unbroken(clock: Clock) -> Clock:
    """The clock without its breach: what was said of it is revised, its ladder begins anew."""
    return replace(
        clock,
        breached_at=None,
        breach_event=None,
        rung=0,
        rung_at=None,
        verdict_revision=clock.verdict_revision + 1,
    )


def resume(policy: Policy, clock: Clock, at: datetime) -> Clock:
    """The clock running again with what was left; what it stood still for is added up by reason."""
    if clock.state != "paused" or clock.paused_at is None:
        return clock
    at = max(at, clock.paused_at)
    running = replace(clock, paused_s=_paused_s(clock, at), paused_at=None, pause_reason=None)
    return _run(policy, running, at, waited=at - clock.paused_at)


def _run(policy: Policy, clock: Clock, at: datetime, waited: timedelta) -> Clock:
    running = replace(
        clock,
        state="running",
        resumed_at=at,
        rung_at=clock.rung_at + waited if clock.rung_at else None,
        version=clock.version + 1,
    )
    return running if running.breached_at is not None else _aim(policy, running, at)


def extend(policy: Policy, clock: Clock, until: datetime, at: datetime) -> Clock:
    """The clock with its due moment moved on to ``until``, decided ``at``; the original promise stays on record."""
    extra_s = working_s(policy, clock, clock.due_at, until)
    longer = replace(clock, extended_s=clock.extended_s + extra_s, version=clock.version + 1)
    if clock.breached_at is not None:
        longer = _unbroken(longer)
    aimed = _aim(policy, longer, clock.resumed_at)
    return replace(aimed, due_at=until, warned=sum(1 for moment in aimed.warn_at if moment <= at))


def retarget(policy: Policy, clock: Clock, fresh: Clock) -> Clock:
    """A live clock under another promise (that of ``fresh``): what has elapsed and the pauses stay.

    One that is broken, or was promised outside, stays as it is.
    """
    same = clock.target_s == fresh.target_s and clock.calendar_id == fresh.calendar_id
    if same or not clock.is_live or clock.breached_at is not None or not clock.calendar_id:
        return clock
    moved = replace(
        clock,
        target_s=fresh.target_s,
        calendar_id=fresh.calendar_id,
        ladder=fresh.ladder,
        warn_permille=fresh.warn_permille,
        due_at_original=fresh.due_at_original,
        version=clock.version + 1,
    )
    return _aim(policy, moved, clock.resumed_at) if clock.state == "running" else moved


def stop(policy: Policy, clock: Clock, fact_at: datetime) -> Stopped:
    """How a fact at ``fact_at`` stops the clock, with its verdict: met at or before the due moment.

    A clock that stands still and is not broken is met. One that was stopped by a later fact is judged again.
    """
    if clock.state == "running":
        elapsed_s = clock.elapsed_s + working_s(policy, clock, clock.resumed_at, fact_at)
    else:
        end_at = clock.paused_at or clock.stopped_at or fact_at
        over_s = working_s(policy, clock, max(fact_at, clock.resumed_at), end_at)
        elapsed_s = max(0, clock.elapsed_s - over_s)
    met = fact_at <= clock.due_at or (clock.state == "paused" and clock.breached_at is None)
    return Stopped(
        name=clock.name,
        state="stopped",
        stopped_at=fact_at,
        elapsed_s=elapsed_s,
        verdict="met" if met else "breached",
        version=clock.version + 1,
        paused_s=_paused_s(clock, fact_at),
        verdict_revision=clock.verdict_revision + (met and clock.breached_at is not None),
    )


def stopped(clock: Clock, told: Stopped) -> Clock:
    """The clock, stopped as :func:`stop` told. It warns of nothing more, and one that was met is not broken."""
    after = replace(
        clock,
        state="stopped",
        stopped_at=told.stopped_at,
        paused_at=None,
        pause_reason=None,
        paused_s=told.paused_s,
        elapsed_s=told.elapsed_s,
        verdict=told.verdict,
        verdict_revision=told.verdict_revision,
        version=told.version,
        warn_at=(),
    )
    if told.verdict == "met" and clock.breached_at is not None:
        return replace(after, breached_at=None, breach_event=None, rung=0, rung_at=None)
    return after


def _paused_s(clock: Clock, at: datetime) -> dict[str, int]:
    """Seconds stood still by reason, the pause that is on included."""
    if clock.paused_at is None:
        return clock.paused_s
    reason = clock.pause_reason or ""
    waited_s = max(0, int((at - clock.paused_at).total_seconds()))
    return {**clock.paused_s, reason: clock.paused_s.get(reason, 0) + waited_s}


def cancel(clock: Clock, at: datetime) -> Clock:
    """The clock ended without a verdict."""
    return replace(clock, state="cancelled", stopped_at=at, paused_s=_paused_s(clock, at), version=clock.version + 1)


def reopen(policy: Policy, clock: Clock, at: datetime) -> Clock:
    """A stopped clock running again: its verdict is void, what had elapsed stays, the wait in between is left out.

    A breach stays, and its ladder goes on from the rung that it had reached.
    """
    waited = at - max(clock.stopped_at or at, clock.resumed_at)
    void = replace(clock, stopped_at=None, verdict=None, verdict_revision=clock.verdict_revision + 1)
    return _run(policy, void, at, waited=max(waited, timedelta()))
