"""The technicians: they accept or decline, travel, work, wait for parts, find closed doors, and report it all."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dispatch.demo.day import DATE, ZONE, Data, Story, chance
from dispatch.demo.stage import Stage, moment
from dispatch.demo.webhooks import Message
from dispatch.demo.work_reports import completion, travel_min, work_min

SHIFT_ENDS_SOON = timedelta(minutes=10)
RANK = {"emergency": 0, "urgent": 1, "normal": 2, "low": 3}
ANSWERS_WITHIN = (0.1, 0.3)
"""The part of the time that an offer leaves after which it is answered at the latest."""


@dataclass(order=True)
class Job:
    """One leg: what a technician has said yes to, most urgent first."""

    rank: int
    since: datetime
    assignment_id: str
    story: Story = field(compare=False)
    offer: Data = field(compare=False)


class Technician:
    """One person, who does one job after another; an emergency interrupts whatever is at hand."""

    def __init__(self, stage: Stage, technician_id: str, shifts: list[tuple[datetime, datetime]]) -> None:
        """``shifts``: starts and ends."""
        self.id = technician_id
        self.shifts = shifts
        self._stage = stage
        self._jobs: asyncio.PriorityQueue[Job] = asyncio.PriorityQueue()
        self._called_away: datetime | None = None
        self._gone: set[str] = set()

    def shift_end(self, at: datetime) -> datetime:
        """When the shift that is on at a moment ends; the moment itself when none is."""
        return next((end for start, end in self.shifts if start <= at < end), at)

    async def work(self) -> None:
        """Do what was accepted, until the day is over."""
        while True:
            job = await self._jobs.get()
            if self._is_off(job):
                continue
            if self._stage.now() >= self.shift_end(self._stage.now()):
                await self._leave("return_order", job, "shift_ending")
                continue
            await self.do(job)

    def _is_off(self, job: Job) -> bool:
        return job.assignment_id in self._gone

    async def _act(self, name: str, job: Job, **said: Any) -> None:
        await self._stage.act(name, job.story.order_id, self.id, "technician", assignment_id=job.assignment_id, **said)

    async def _leave(self, name: str, job: Job, reason: str) -> None:
        self._gone.add(job.assignment_id)
        job.story.gone.add(job.assignment_id)
        await self._act(name, job, reason=reason)

    # answering ------------------------------------------------------------------------------------------------

    def taken_back(self, assignment_id: str) -> None:
        """Told that a job is somebody else's by now, or nobody's."""
        self._gone.add(assignment_id)

    async def offered(self, story: Story, message: Message) -> None:
        """Asked: yes after a while, no with a reason, or no answer at all."""
        story.asked += 1
        job = self._job(story, message)
        dice = chance(story.report.request_id, "answer", story.asked, self.id)
        if story.has("silent") and story.asked == 1:
            return
        answer_at = message.at + timedelta(minutes=dice.uniform(1, 4))
        if expires := message.data.get("expires_at"):
            answer_at = min(answer_at, message.at + (moment(expires) - message.at) * dice.uniform(*ANSWERS_WITHIN))
        await self._stage.until(answer_at)
        if self._is_off(job):
            return
        if story.has("decline") and story.asked == 1:
            await self._leave("decline", job, dice.choice(("busy", "too_far", "no_tools", "unwell")))
        elif self.shift_end(answer_at) - answer_at < SHIFT_ENDS_SOON:
            await self._leave("decline", job, "shift_ending")
        else:
            await self._act("accept", job)
            await self._jobs.put(job)

    async def assigned(self, story: Story, message: Message) -> None:
        """Given directly: an emergency, or by somebody's decision. Go at once."""
        story.asked += 1
        job = self._job(story, message)
        dice = chance(story.report.request_id, "answer", story.asked, self.id)
        await self._stage.until(message.at + timedelta(minutes=dice.uniform(0.5, 2)))
        if self._is_off(job):
            return
        await self._act("accept", job)
        if job.rank > 0:
            await self._jobs.put(job)
            return
        self._called_away = self._stage.now() + timedelta(minutes=20)
        await self.do(job)
        self._called_away = None

    def _job(self, story: Story, message: Message) -> Job:
        rank = RANK.get(message.data.get("urgency") or "", 2)
        return Job(rank, message.at, message.data["assignment_id"], story, dict(message.data))

    # the work -------------------------------------------------------------------------------------------------

    async def do(self, job: Job) -> None:
        """Go there and repair it, unless the job is taken away on the way."""
        story = job.story
        if story.has("offline") and story.repairs == 0:
            await self._do_offline(job)
            return
        dice = chance(story.report.request_id, "work", job.assignment_id)
        for name, minutes in (("depart", 0.5), ("arrive", travel_min(dice, job.offer)), ("start", 1)):
            await self._stage.wait(minutes)
            if self._is_off(job):
                return
            if name == "start" and story.has("no_access") and not story.shut_out:
                await self._shut_out(job)
                return
            await self._act(name, job)
            story.visits += name == "arrive"
        started_at = self._stage.now()
        if job.rank == 0:
            await self._make_safe(job, dice.uniform(3, 10))
        if await self._parts_missing(job, dice.uniform(5, 12)):
            return
        await self._stage.wait(work_min(dice, job.offer))
        while self._called_away is not None and job.rank > 0:
            await self._stage.wait(2)
        await self._finish(job, started_at)

    async def _shut_out(self, job: Job) -> None:
        """Nobody opens the door: the dispatcher finds another time, and the work is given out again."""
        job.story.shut_out = True
        again = self._later(90)
        await self._act("no_access", job, reason="nobody_in", expected_resume_at=again)
        self._stage.go(self._come_again(job.story, moment(again) - timedelta(minutes=5)))

    async def _come_again(self, story: Story, at: datetime) -> None:
        await self._stage.until(at)
        if not story.over:
            who = (story.order_id, "dispatcher-1", "dispatcher")
            await self._stage.act("contact_attempted", *who, outcome="reached")
            await self._stage.act("resume", *who, note="报修人已在家 at home now")

    async def _make_safe(self, job: Job, minutes: float) -> None:
        await self._stage.wait(minutes)
        if not self._is_off(job):
            await self._act("make_safe", job)

    async def _parts_missing(self, job: Job, minutes: float) -> bool:
        """Hold for parts, once; when they come, the work is given out again. Whether this job ends here."""
        story = job.story
        if not story.has("hold") or story.held:
            return False
        story.held = True
        await self._stage.wait(minutes)
        if not self._is_off(job):
            expected = self._later(120)
            await self._act("hold", job, reason="waiting_parts", expected_resume_at=expected)
            self._stage.go(self._parts_come(story, moment(expected) - timedelta(minutes=10)))
        return True

    async def _parts_come(self, story: Story, at: datetime) -> None:
        await self._stage.until(at)
        if not story.over:
            who = (story.order_id, "dispatcher-1", "dispatcher")
            await self._stage.act("resume", *who, note="配件已到 parts have come")

    def _later(self, minutes: float) -> str:
        """So many minutes from now, or the next morning when that would be in the night."""
        at = self._stage.now().astimezone(ZONE) + timedelta(minutes=minutes)
        night = at.hour >= 21 or at.hour < 8  # noqa: PLR2004 -- when no storekeeper is there
        if night:
            morning = at if at.hour < 8 else at + timedelta(days=1)  # noqa: PLR2004
            at = morning.replace(hour=8, minute=20, second=0, microsecond=0)
        return at.isoformat(timespec="seconds")

    async def _finish(self, job: Job, started_at: datetime) -> None:
        if self._is_off(job):
            return
        job.story.repairs += 1
        done = completion(job.story, job.offer, self.id, started_at, self._stage.now())
        await self._stage.act("complete", job.story.order_id, self.id, "technician", **done)

    async def _do_offline(self, job: Job) -> None:
        """A cellar without a network: done now, keyed in hours later (先修后补单), each with its own time."""
        story, stage = job.story, self._stage
        dice = chance(story.report.request_id, "work", job.assignment_id)
        facts: list[tuple[str, datetime]] = []
        for name, minutes in (("depart", 0.5), ("arrive", travel_min(dice, job.offer)), ("start", 1)):
            await stage.wait(minutes)
            facts.append((name, stage.now()))
        await stage.wait(work_min(dice, job.offer))
        done_at = stage.now()
        stage.go(self._key_in(job, facts, done_at, dice.uniform(180, 420)))

    async def _key_in(self, job: Job, facts: list[tuple[str, datetime]], done_at: datetime, minutes: float) -> None:
        await self._stage.wait(minutes)
        if self._is_off(job):
            return
        for number, (name, at) in enumerate(facts, 1):
            await self._act(name, job, at=at, late="no_network", device_seq=number)
        job.story.visits += 1
        job.story.repairs += 1
        done = completion(job.story, job.offer, self.id, facts[-1][1], done_at)
        await self._stage.act(
            "complete", job.story.order_id, self.id, "technician",
            at=done_at, late="no_network", device_seq=len(facts) + 1, **done,
        )  # fmt: skip


class Crew:
    """All technicians. They know what their webhooks tell them, and nothing else."""

    def __init__(self, stage: Stage, shifts: Mapping[str, list[tuple[datetime, datetime]]]) -> None:
        """``shifts`` by technician."""
        self._stage = stage
        self._given: set[str] = set()
        self.people = {one: Technician(stage, one, spans) for one, spans in shifts.items()}

    def begin(self) -> None:
        """Everybody comes to work."""
        for person in self.people.values():
            self._stage.go(person.work())

    def hear(self, message: Message) -> None:
        """One webhook. An offer whose time is over is read, and put aside."""
        kind, _slash, name = message.receiver.partition("/")
        story, person = self._stage.stories.get(message.order_id), self.people.get(name)
        if story is None or person is None or kind != "technician":
            return
        told = message.type.removeprefix("work-order.")
        if told in {"withdrawn", "offer-expired"}:
            person.taken_back(message.data["assignment_id"])
        elif told in {"offered", "assigned"} and not message.is_late:
            self._give(told, person, story, message)

    def _give(self, told: str, person: Technician, story: Story, message: Message) -> None:
        assignment_id = message.data["assignment_id"]
        if assignment_id in self._given:
            return
        self._given.add(assignment_id)
        self._stage.go(person.offered(story, message) if told == "offered" else person.assigned(story, message))


def shift_spans(planned: list[Data]) -> dict[str, list[tuple[datetime, datetime]]]:
    """Shifts by technician from the data of ``dispatch.shift.planned``."""
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    for shift in planned:
        spans.setdefault(shift["technician_id"], []).append((moment(shift["start"]), moment(shift["end"])))
    return spans


DAYS = (DATE - timedelta(days=1), DATE, DATE + timedelta(days=1))
"""The days whose shifts matter: last night's is still on when the day begins."""
