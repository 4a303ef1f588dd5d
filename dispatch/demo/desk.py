"""The office: the front desk places what nobody could, a shift leader gives what nobody took, supervisors answer."""

from collections import Counter
from datetime import timedelta
from typing import Any

from dispatch.demo.day import Story, chance
from dispatch.demo.stage import Heard, Stage
from dispatch.demo.technicians import Technician
from dispatch.models.roster import Roster, RosterTechnician
from dispatch.rules.policy import Policy

ELSEWHERE = "没有说清楚的内容无法派工，请致电 6100 nothing here can be repaired; please call 6100"
ANSWERS_MIN = 3
ASKS_AGAIN_MIN = 10
FORCED_TRIES = 12
ENDED = frozenset({"merged", "cancelled", "refused", "closed"})
GIVEN = "given"
"""Stands for a leg that the shift leader has asked for and that no topic has told of yet."""


class Office:
    """What the office knows of each order from the topics: whether it is over, and which legs are."""

    def __init__(self, stage: Stage) -> None:
        """It writes into the stories, for all who work there."""
        self._stage = stage

    async def hear(self, event: Heard) -> None:
        """One event of any topic."""
        story = self._stage.stories.get(event.subject)
        if story is None:
            return
        kind = event.type.removeprefix("work-order.")
        if kind in ENDED or kind == "reopened":
            story.over = kind in ENDED
        elif kind in {"withdrawn", "offer-expired"}:
            story.gone.add(event.data["assignment_id"])


class FrontDesk:
    """Calls back whoever said nothing that a rule could place."""

    def __init__(self, stage: Stage) -> None:
        """Somebody is always there."""
        self._stage = stage

    async def hear(self, event: Heard) -> None:
        """One event of any topic."""
        story = self._stage.stories.get(event.subject)
        if story is not None and event.type == "work-order.opened" and event.data.get("needs_triage"):
            self._stage.go(self._call_back(story))

    async def _call_back(self, story: Story) -> None:
        dice = chance(story.report.request_id, "desk")
        await self._stage.wait(dice.uniform(3, 9))
        trade = story.report.expect["trade"]
        if not trade and dice.random() < 0.4:  # noqa: PLR2004 -- two in five had nothing to repair
            await self._act("refuse", story, reason="nothing_to_repair", where_instead=ELSEWHERE)
            return
        known = trade or dice.choice(("plumbing", "electrical", "general"))
        urgency = story.report.expect["urgency"]
        await self._act("reclassify", story, trade=known, urgency=urgency, reason="called_back")

    async def _act(self, name: str, story: Story, **said: Any) -> None:
        await self._stage.act(name, story.order_id, "desk-1", "front_desk", **said)


class Leaders:
    """Supervisors acknowledge what rings; the shift leader finds somebody when nobody is left to ask."""

    def __init__(self, stage: Stage, policy: Policy, roster: Roster, people: dict[str, Technician]) -> None:
        """``people`` say when who is on duty."""
        self._stage = stage
        self._policy = policy
        self._roster = roster
        self._people = people
        self._ringing: set[str] = set()
        self._trades: dict[str, str] = {}
        self._holders: dict[str, dict[str, str]] = {}
        self._looking: set[str] = set()

    async def hear(self, event: Heard) -> None:
        """One event of any topic."""
        story = self._stage.stories.get(event.subject)
        if story is None:
            return
        self._remember(event)
        escalation_id = event.data.get("escalation_id", "")
        if event.type == "escalation.raised":
            self._ringing.add(escalation_id)
            self._stage.go(self._answer(story, escalation_id, int(event.data.get("level") or 1)))
            asked = event.data.get("reason") == "nobody_left_to_ask" or event.data.get("clock") == "accept"
            if asked and event.subject not in self._looking:
                self._looking.add(event.subject)
                self._stage.go(self._find_somebody(story, event.territory))
        elif event.type in {"escalation.resolved", "escalation.acknowledged"}:
            self._ringing.discard(escalation_id)

    def _remember(self, event: Heard) -> None:
        """Who holds what, as far as the topics tell."""
        data = event.data
        if needs := data.get("requirements"):
            self._trades[event.subject] = needs[0]["trade"]
        holders = self._holders.setdefault(event.subject, {})
        if event.type in {"work-order.offered", "work-order.assigned"}:
            holders.pop(GIVEN, None)
            holders[data["assignment_id"]] = data["technician_id"]
            self._trades[event.subject] = (data.get("requirement") or {}).get("trade", "")
        elif event.type in {"work-order.completed", "work-order.cancelled"}:
            holders.clear()

    async def _answer(self, story: Story, escalation_id: str, level: int) -> None:
        await self._stage.wait(chance(escalation_id).uniform(4, 15))
        if escalation_id in self._ringing and not story.over:
            who = "supervisor-1" if level == 1 else "shift-leader-1"
            role = "supervisor" if level == 1 else "shift_leader"
            until = (self._stage.now() + timedelta(minutes=20)).isoformat(timespec="seconds")
            await self._stage.act("acknowledge", story.order_id, who, role, escalation_id=escalation_id, until=until)

    async def _find_somebody(self, story: Story, territory: str) -> None:
        """Give it by force to somebody on duty who can do it; when nobody can, look again later."""
        holders = self._holders.setdefault(story.order_id, {})
        for attempt in range(FORCED_TRIES):
            await self._stage.wait(ASKS_AGAIN_MIN if attempt else ANSWERS_MIN)
            holders.pop(GIVEN, None)
            if story.over or holders.keys() - story.gone:
                break
            if to := self._able(story.order_id, territory):
                holders[GIVEN] = to
                who = (story.order_id, "shift-leader-1", "shift_leader")
                await self._stage.act("assign", *who, to=to, reason="by_force")
        self._looking.discard(story.order_id)

    def _able(self, order_id: str, territory: str) -> str | None:
        """Who on duty can do it and holds least."""
        now, trade = self._stage.now(), self._trades.get(order_id, "")
        held = Counter(
            one
            for order_id, holders in self._holders.items()
            for assignment_id, one in holders.items()
            if assignment_id not in self._stage.stories[order_id].gone
        )
        able = [
            one
            for one in self._roster.technicians
            if one.home_territory == territory
            and held[one.id] < one.capacity.open
            and self._people[one.id].shift_end(now) - now > timedelta(minutes=30)
            and self._qualified(one, trade)
        ]
        return min(able, key=lambda one: (held[one.id], one.id)).id if able else None

    def _qualified(self, technician: RosterTechnician, trade: str) -> bool:
        needs = self._policy.document.trades.get(trade)
        level = max((skill.level for skill in technician.skills if skill.trade == trade), default=0)
        held = {certificate.type for certificate in technician.certificates}
        return needs is not None and level >= needs.min_level and set(needs.certificates) <= held
