"""The reporters: they publish requests, and confirm, reject, rate, urge, cancel and reopen what became of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from dispatch.demo.day import Data, Report, Story, chance
from dispatch.demo.stage import Heard, Stage

CONFIRMS = 0.70
CONFIRMS_AFTER_A_SHOCK = 0.3
RATES = 0.75
CONFIRMS_WHEN_ASKED = 0.6
_URGES = ("已经等了很久了，什么时候来？", "Any news? It has been a while.", "麻烦快一点，谢谢")
_COMMENTS = ("师傅很专业", "quick and friendly", "来得有点慢，修得不错", "")


async def publish_day(stage: Stage, reports: list[Report], told: Callable[[str], None]) -> None:
    """Publish each request when its time comes; what is sent twice comes again two minutes later."""
    for report in reports:
        await stage.until(report.at)
        await stage.report(report)
        told(report.request_id)
        if "resend" in report.tags:
            stage.go(_again(stage, report))


async def _again(stage: Stage, report: Report) -> None:
    await stage.wait(2)
    await stage.report(report)


class Reporters:
    """Everybody who reported something, listening to ``dispatch.completions``."""

    def __init__(self, stage: Stage) -> None:
        """Nobody has reported anything yet."""
        self._stage = stage
        self._waiting: dict[str, Story] = {}

    async def hear(self, event: Heard) -> None:
        """One event of any topic."""
        story = self._stage.stories.get(event.subject)
        if story is None:
            return
        kind = event.type.removeprefix("work-order.")
        if kind == "opened":
            self._stage.go(self._impatient(story))
        elif kind == "completed" and event.data.get("state") == "completed":
            self._waiting[story.order_id] = story
            self._stage.go(self._answer(story))
        elif kind == "closed":
            self._waiting.pop(story.order_id, None)
            if story.has("reopen") and not story.reopened:
                self._stage.go(self._reopen(story))

    async def _act(self, name: str, story: Story, **said: Any) -> None:
        await self._stage.act(name, story.order_id, story.report.reporter, "requester", **said)

    async def _impatient(self, story: Story) -> None:
        """Cancels soon, or urges after a while, as the corpus says."""
        dice = chance(story.report.request_id, "wait")
        if story.has("cancel"):
            await self._stage.until(story.report.at + timedelta(minutes=dice.uniform(2, 6)))
            if not story.over and story.repairs == 0:
                await self._act("cancel", story, reason=dice.choice(("solved_itself", "solved_by_reporter", "mistake")))
        if story.has("urge"):
            await self._stage.until(story.report.at + timedelta(minutes=dice.uniform(8, 20)))
            if not story.over and story.repairs == 0:
                await self._act("urge", story, text=dice.choice(_URGES))

    async def _answer(self, story: Story) -> None:
        """The repair is done, they say: reject it once, confirm it after a look, or say nothing."""
        dice = chance(story.report.request_id, "answer", story.repairs)
        if story.has("reject") and story.repairs == 1:
            await self._stage.wait(dice.uniform(5, 20))
            self._waiting.pop(story.order_id, None)
            await self._act("reject_work", story, reason="still_broken")
            return
        eager = story.has("reject") or story.has("reopen")
        likely = CONFIRMS_AFTER_A_SHOCK if story.has("emergency") else CONFIRMS
        if not eager and dice.random() > likely:
            return
        await self._stage.wait(dice.uniform(2, 8 if eager or self._stage.tail else 60))
        await self._confirm(story, _points(story, bad=story.has("reject")))

    async def _confirm(self, story: Story, points: Data) -> None:
        if self._waiting.pop(story.order_id, None) is None:
            return
        await self._act("confirm", story)
        dice = chance(story.report.request_id, "rate", story.repairs)
        if dice.random() < RATES:
            await self._stage.wait(1)
            said = {"comment": comment} if (comment := dice.choice(_COMMENTS)) else {}
            await self._act("rate", story, dimensions=points, scale="stars-5", **said)

    async def _reopen(self, story: Story) -> None:
        story.reopened = True
        await self._stage.wait(20)
        await self._act("reopen", story, reason="broken_again")

    async def ask_the_silent(self) -> None:
        """The next morning the desk calls those who said nothing: most confirm, some stay silent."""
        for story in list(self._waiting.values()):
            dice = chance(story.report.request_id, "asked")
            if not story.has("emergency") and dice.random() < CONFIRMS_WHEN_ASKED:
                self._stage.go(self._late(story, dice.uniform(1, 40)))

    async def _late(self, story: Story, minutes: float) -> None:
        await self._stage.wait(minutes)
        await self._confirm(story, _points(story, bad=False))


def _points(story: Story, *, bad: bool) -> Data:
    dice = chance(story.report.request_id, "points", story.repairs)
    low = 2 if bad else 3
    return {name: min(5, dice.randint(low, 6)) for name in ("speed", "quality", "attitude")}
