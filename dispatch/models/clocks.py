"""Clocks as they are told: one event carries all clocks that started or stopped at one instant."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import Code, Count, Id, Instant, Model, Reason, Seconds, Verdict

PausedSeconds = Annotated[dict[Reason, Seconds], Field(max_length=100)]
"""Seconds paused, by reason."""


class ClockFact(Model):
    """One running instance of a promise. Durations count time of its calendar, in seconds."""

    name: Code
    target_s: Seconds | None = None
    calendar_id: Annotated[str, Field(max_length=64)] | None = None
    ladder: Code | None = None
    due_at: Instant | None = None
    due_at_original: Instant | None = None
    promised_to: Code | None = None
    started_at: Instant | None = None
    resumed_at: Instant | None = None
    paused_at: Instant | None = None
    pause_reason: Reason | None = None
    paused_s: PausedSeconds = Field(default_factory=dict)
    state: Code | None = None
    elapsed_s: Seconds | None = None
    extended_s: Seconds | None = None
    timer_version: Count | None = None
    version: Count | None = None
    warn_permille: Annotated[tuple[Count, ...], Field(max_length=20)] = ()
    warn_at: Annotated[tuple[Instant, ...], Field(max_length=20)] = ()
    warned: Count | None = None
    reason: Reason | None = None
    verdict: Verdict | None = None
    verdict_revision: Count | None = None
    breached_at: Instant | None = None
    breach_event: Id | None = None
    stopped_at: Instant | None = None
    level: Count | None = None
    rung: Count | None = None
    rung_at: Instant | None = None


ClockFacts = Annotated[tuple[ClockFact, ...], Field(max_length=50)]


class ClockEvent(Model):
    """What happened to one or several clocks of an order at one instant."""

    work_order_id: Id
    cycle: Count
    clocks: ClockFacts


class ClockStarted(ClockEvent):
    """Promises begin to run that no other event tells of: an opening and a completion carry theirs themselves."""


class ClockPaused(ClockEvent):
    """Promises wait; elapsed time is kept."""


class ClockResumed(ClockEvent):
    """Promises run on, and are due later."""


class ClockWarned(ClockEvent):
    """Promises are about to be broken."""


class ClockBreached(ClockEvent):
    """Promises are broken."""


class ClockCancelled(ClockEvent):
    """Promises no longer apply."""
