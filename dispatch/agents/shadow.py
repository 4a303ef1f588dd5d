"""The shadow: a second model of triage on live reports. It is asked after the decisions are out, and decides nothing.

Whatever it does, intake goes on: it has few reports waiting at most (the rest is skipped and counted), works between
other tasks a few reports at a time, and the first thing that goes wrong ends it, counted, until the next start.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mode import Service

from dispatch import metrics
from dispatch.agents.openings import Report
from dispatch.config import load_model
from dispatch.log import get_log
from dispatch.models.policy_base import URGENCIES
from dispatch.rules.triage import Classification, hear
from dispatch.rules.triage_file import ModelError
from dispatch.rules.triage_model import Model

log = get_log("shadow")
AT_A_TIME: Final = 8
"""Reports judged before other tasks have their turn: one or two milliseconds."""
MOST_WAITING: Final = 512
NAMED: Final = 10
"""Orders of lost and gained emergencies that one line of the log names."""

Told = tuple[str, Report]
"""A report and the id of its order."""


class Shadow(Service):
    """Compares what a model would have said with what was decided. ``on`` until something goes wrong."""

    def __init__(self, model: Model, **kwargs: Any) -> None:
        """Nothing is compared yet."""
        super().__init__(**kwargs)
        self.model = model
        self.on = True
        self._waiting: list[Told] = []
        self._woken = asyncio.Event()

    def offer(self, reports: Sequence[Told]) -> None:
        """Reports that were decided; never waits, never fails."""
        if not self.on:
            return
        room = MOST_WAITING - len(self._waiting)
        self._waiting += reports[:room]
        if len(reports) > room:
            metrics.SHADOW_SKIPPED.inc(len(reports) - room)
        self._woken.set()

    async def on_stop(self) -> None:
        """The task below waits for nothing any more."""
        self._woken.set()

    @Service.task
    async def _work(self) -> None:
        while self.on and not self.should_stop:
            await self._woken.wait()
            self._woken.clear()
            await self.catch_up()

    async def catch_up(self) -> None:
        """Judge all that waits, a few at a time."""
        reports, self._waiting = self._waiting, []
        found: Counter[tuple[str, str]] = Counter()
        named: list[dict[str, str]] = []
        for at in range(0, len(reports), AT_A_TIME):
            if not self.on:
                return
            self._judge(reports[at : at + AT_A_TIME], found, named)
            await asyncio.sleep(0)
        if self.on and found:
            for labels, count in found.items():
                metrics.SHADOW.labels(*labels).inc(count)
            said = {f"{what}_{outcome}": count for (what, outcome), count in sorted(found.items())}
            log.info("shadow", model=self.model.version, reports=len(reports), **said, emergencies=named[:NAMED])

    def _judge(self, reports: Sequence[Told], found: Counter[tuple[str, str]], named: list[dict[str, str]]) -> None:
        try:
            for (order, report), heard in zip(
                reports, hear([each.text for _, each in reports], self.model), strict=True
            ):
                if report.verdict is None:
                    continue
                outcomes = differences(report.verdict, report.judged(heard, self.model))
                found.update(outcomes.items())
                if outcomes["emergency"] != "same":
                    named.append({"order": order, "emergency": outcomes["emergency"]})
        except Exception:
            self.on = False
            self._waiting.clear()
            metrics.SHADOW_FAILED.inc()
            log.exception("shadow is off", model=self.model.version)


def differences(decided: Classification, shadow: Classification) -> dict[str, str]:
    """How a verdict differs from the one that was decided: on trade, emergency and urgency, ``same`` or how."""
    trade, emergency, urgency = "same", "same", "same"
    if shadow.trade != decided.trade:
        trade = "abstained" if shadow.trade is None else "decided" if decided.trade is None else "other"
    was, would = (each.urgency == "emergency" for each in (decided, shadow))
    if was != would:
        emergency = "lost" if was else "gained"
    if shadow.urgency != decided.urgency:
        lower = URGENCIES.index(shadow.urgency) > URGENCIES.index(decided.urgency)
        urgency = "lower" if lower else "higher"
    return {"trade": trade, "emergency": emergency, "urgency": urgency}


def make_shadow(path: Path | None) -> Shadow | None:
    """The shadow of a file, None without one; a file that cannot be used is counted and told, and stops nobody."""
    if path is None:
        return None
    try:
        return Shadow(load_model(path))
    except ModelError as error:
        metrics.SHADOW_FAILED.inc()
        log.warning("no shadow", code=error.code, error=str(error))
        return None
