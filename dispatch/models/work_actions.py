"""Actions of those who do the work."""

from typing import Annotated

from pydantic import Field

from dispatch.models.action_base import LegAction, ReasonedLegAction
from dispatch.models.base import Code, Count, Evidence, Id, Instant, Text
from dispatch.models.work_done import WorkDone


class Accept(LegAction):
    """Yes, I take it: stops the accept clock."""


class Decline(ReasonedLegAction):
    """No, I do not take this offer."""


class ReturnOrder(ReasonedLegAction):
    """I have it, and give it back (退单)."""


class Transfer(ReasonedLegAction):
    """I have it, and it should go to somebody else (转单); `to` is a technician, a team or a territory."""

    to: Id | None = None


class Depart(LegAction):
    """I am on my way."""


class Arrive(LegAction):
    """I am on site: a visit begins."""


class NoAccess(ReasonedLegAction):
    """I am on site and cannot get in."""

    evidence: Evidence | None = None


class Start(LegAction):
    """Work begins."""


class MakeSafe(LegAction):
    """The danger is over; the work is not."""


class Hold(ReasonedLegAction):
    """Work waits; `releases_assignee`: the technician is free for other work meanwhile."""

    expected_resume_at: Instant | None = None
    evidence: Evidence | None = None
    releases_assignee: bool | None = None


class Resume(LegAction):
    """Work goes on."""


class RequestHelp(ReasonedLegAction):
    """More hands are needed: `count` people of a trade."""

    trade: Code | None = None
    count: Annotated[int, Field(ge=1, le=100)] = 1


class Uplift(ReasonedLegAction):
    """This is a bigger job than ordered (大修)."""

    job_class: Code | None = None


class Complete(LegAction, WorkDone):
    """The work is done: everything that a KPI needs."""

    assignment_id: Id
    visit_no: Count


class Handover(LegAction):
    """My shift ends; `to` goes on where I stopped."""

    to: Id | None = None
    notes: Text | None = None


class AcceptHandover(LegAction):
    """I go on where the other stopped."""


class ContactAttempted(LegAction):
    """I tried to reach the reporter: how (`method`), and what came of it."""

    method: Code | None = None
    outcome: Code | None = None
