"""Actions of those who reported, or of whoever speaks for them."""

from typing import Annotated

from pydantic import Field

from dispatch.models.action_base import Action, ReasonedAction
from dispatch.models.base import Code, Evidence, Location, Text, Windows

Dimensions = Annotated[dict[Code, Annotated[int, Field(ge=-1_000, le=1_000)]], Field(max_length=20)]
"""What was rated, and how: code → points on the scale."""


class Confirm(Action):
    """The work is accepted."""


class RejectWork(ReasonedAction):
    """The work is not accepted (验收不合格)."""

    evidence: Evidence | None = None


class Rate(Action):
    """How good it was; `scale` names the scale that the points are on."""

    dimensions: Annotated[Dimensions, Field(min_length=1)]
    scale: Code | None = None
    comment: Text | None = None


class Reopen(ReasonedAction):
    """It is broken again: the same order, a new cycle."""


class Urge(Action):
    """Please hurry (催单)."""

    text: Text | None = None


class Amend(Action):
    """More, or better, words about the same fault."""

    text: Text | None = None
    location: Location | None = None


class Reschedule(Action):
    """Come at another time."""

    windows: Windows = ()


class Cancel(ReasonedAction):
    """It is no longer needed."""


class Appeal(ReasonedAction):
    """A refusal, a merge or a verdict was wrong."""
