"""What is seen while the day goes by: on a terminal the board, in a pipe counts, and a line for what matters."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from statistics import quantiles

from rich.console import Console
from rich.text import Text

from dispatch.demo.board_words import words_of
from dispatch.demo.day import BEGIN, ZONE
from dispatch.demo.listening import LOGGED
from dispatch.demo.screen import Screen
from dispatch.demo.stage import Heard, Stage
from dispatch.rules.policy import Policy
from dispatch.settings import Language
from dispatch.topics import DELIVERIES

EVERY_S = 2.0
COLUMNS = (
    ("收到", "received"), ("开单", "opened"), ("合并", "merged"), ("派工", "assigned"), ("完工", "completed"),
    ("关闭", "closed"), ("升级", "escalations"), ("死信", "dead letters"),
)  # fmt: skip
_CAUSES = {
    "warned": "预警 warned", "breached": "超时 late", "person": "人工 by a person", "silence": "无人应答 silence",
    "urging": "催单 urged", "no_report": "未回单 no report", "emergency": "紧急 emergency",
}  # fmt: skip
_COUNTED = {
    "work-order.opened": "opened", "work-order.merged": "merged", "work-order.assigned": "assigned",
    "work-order.completed": "completed", "work-order.closed": "closed",
}  # fmt: skip


class Progress:
    """Counts what the topics say, and says it."""

    def __init__(self, console: Console, policy: Policy, lang: Language, *, plain: bool) -> None:
        """``plain``: lines only, as for a pipe. ``lang``: the board's language; lines are in both."""
        self._console = console
        self._policy = policy
        self._words = words_of(policy, lang)
        self._plain = plain or not console.is_terminal or console.is_dumb_terminal
        self._screen: Screen | None = None
        self._orders: dict[str, Heard] = {}
        self._explained = False
        self._sent_s: dict[str, float] = {}
        self._waits_s: list[float] = []
        self._seen: dict[str, set[str]] = {english: set() for _chinese, english in COLUMNS}

    def say(self, line: str) -> None:
        """One line of text that stays."""
        self._console.print(Text(line), soft_wrap=True)

    @property
    def topics(self) -> tuple[str, ...]:
        """What :meth:`log` wants to be told of, beside what others need."""
        return LOGGED if self._plain else (*LOGGED, DELIVERIES)

    async def log(self, event: Heard) -> None:
        """One event of these topics."""
        if self._screen is not None:
            self._screen.hear(event)

    def latency(self, speed: float) -> str:
        """How long requests took from being published to being heard of as orders."""
        p50, p95 = (quantiles(self._waits_s, n=20)[at] if len(self._waits_s) > 1 else 0.0 for at in (9, 18))
        return (
            f"时延 from request to order: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms of wall time, "
            f"which is {p50 * speed / 60:.1f} and {p95 * speed / 60:.1f} minutes of this day"
        )

    def published(self, request_id: str) -> None:
        """A request is on its way."""
        self._seen["received"].add(request_id)
        self._sent_s.setdefault(request_id, time.monotonic())

    async def hear(self, event: Heard) -> None:
        """One event of any topic."""
        if event.type == "input.refused":
            self._seen["dead letters"].add(event.id)
            return
        if event.type == "escalation.raised":
            self._seen["escalations"].add(event.id)
        if (column := _COUNTED.get(event.type)) is not None:
            self._seen[column].add(event.subject)
        if event.type == "work-order.opened":
            self._orders[event.subject] = event
            if (sent_s := self._sent_s.get(event.data["request_id"])) is not None:
                self._waits_s.append(time.monotonic() - sent_s)
        if self._screen is None:
            self._at_once(event)

    def _at_once(self, event: Heard) -> None:
        if event.type == "escalation.raised":
            self._escalated(event)
        self._emergency(event)

    def _emergency(self, event: Heard) -> None:
        opened = self._orders.get(event.subject)
        if opened is None or opened.data.get("urgency") != "emergency":
            return
        head = f"{_hour(event)} 紧急 EMERGENCY {opened.data['display_no']}"
        if event.type == "work-order.opened":
            self.say(f"{head} {self._what(event)}: {event.data['text'][:60]}")
        elif event.type == "work-order.merged":
            into = self._orders.get(event.data.get("into", ""))
            self.say(f"{head} 合并到 merged into {into.data['display_no'] if into else event.data.get('into')}")
        elif event.type == "work-order.assigned":
            self.say(f"{head} → {event.data['technician_id']} 直接派单 given directly{self._why(event)}")
        elif event.type == "work-order.completed":
            minutes = int((event.time - opened.time) / timedelta(minutes=1))
            self.say(f"{head} 完工 completed after {minutes} min: {event.data.get('disposition')}")

    def _why(self, event: Heard) -> str:
        """Once in full, to show that every decision explains itself."""
        why = event.data.get("why") or {}
        if self._explained or not why.get("en"):
            return ""
        self._explained = True
        return f"\n      为什么 why: {why.get('zh', '')}\n      {why['en']}"

    def _escalated(self, event: Heard) -> None:
        data = event.data
        if data.get("cause") == "emergency":
            return
        opened = self._orders.get(event.subject)
        number = opened.data["display_no"] if opened else event.subject
        told = ", ".join(one["id"] for one in data.get("recipients", ()))
        cause = _CAUSES.get(data.get("cause", ""), data.get("cause", ""))
        what = " ".join(filter(None, (cause, data.get("clock"), data.get("reason"))))
        self.say(f"{_hour(event)} 升级 escalation L{data.get('level')} {number} {what} → {told}")

    def _what(self, event: Heard) -> str:
        needs = event.data.get("requirements") or [{}]
        trade = self._policy.document.trades.get(needs[0].get("trade", ""))
        location = event.data.get("location") or {}
        area = self._policy.areas.get(location.get("area_id") or "")
        craft = f"{trade.name.zh} {trade.name.en}" if trade else "?"
        return f"{craft} @ {area.name.zh} {area.name.en}" if area else craft

    def line(self, stage: Stage) -> str:
        """The counts as they stand."""
        at = stage.now().astimezone(ZONE)
        day = "+1" if at - BEGIN >= timedelta(hours=18) and at.date() != BEGIN.date() else "  "
        counts = "  ".join(f"{zh} {en} {len(self._seen[en])}" for zh, en in COLUMNS)
        return f"{at:%H:%M}{day} {counts}"

    @contextlib.contextmanager
    def shown(self, stage: Stage) -> Iterator[None]:
        """While this lasts, a terminal has its board."""
        if self._plain:
            yield
            return
        with Screen(self._console, self._words, stage.now) as screen:
            self._screen = screen
            try:
                yield
            finally:
                self._screen = None

    async def keep_saying(self, stage: Stage) -> None:
        """In a pipe, a line every two seconds."""
        while self._plain:
            self.say(self.line(stage))
            await asyncio.sleep(EVERY_S)


def _hour(event: Heard) -> str:
    return f"{event.time.astimezone(ZONE):%H:%M}"
