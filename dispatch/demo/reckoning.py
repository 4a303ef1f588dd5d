"""After the day: what the topics hold is read whole, summed up, and held against the invariants."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.structs import ConsumerRecord
from rich.console import Console

from dispatch.demo.accounts import check_bytes, check_contract, letters_of, unaccounted
from dispatch.demo.asks import Asks
from dispatch.demo.day import Report
from dispatch.demo.invariants import Broken, fold_log
from dispatch.demo.listening import heard_of, read_all
from dispatch.demo.play import Played
from dispatch.demo.stage import Heard
from dispatch.demo.tables import print_summary
from dispatch.demo.telling import check_receiver, told
from dispatch.demo.webhooks import Receiver
from dispatch.rules.policy import Policy
from dispatch.topics import ASSIGNMENTS, COMPLETIONS, DEAD_LETTERS, ESCALATIONS, WORK_ORDERS

READ = (WORK_ORDERS, ASSIGNMENTS, ESCALATIONS, COMPLETIONS, DEAD_LETTERS)
MOST_SHOWN = 20


async def read_topics(client: Mapping[str, Any]) -> dict[str, list[ConsumerRecord]]:
    """What the topics hold that a day is reckoned up from."""
    read = await asyncio.gather(*(read_all(client, topic) for topic in READ))
    return dict(zip(READ, read, strict=True))


@dataclass(frozen=True, kw_only=True)
class Reckoning:
    """A day that is over: what the topics hold, and what the people did and heard."""

    topics: Mapping[str, Sequence[ConsumerRecord]]
    policy: Policy
    reports: Sequence[Report]
    played: Played
    receiver: Receiver

    def reckon(self, console: Console) -> bool:
        """Print the summary and what the invariants say; whether all of them hold."""
        topics, log = self.topics, self.topics[WORK_ORDERS]
        console.print()
        print_summary(console, _unique(topics[COMPLETIONS]), _unique(topics[ESCALATIONS]), self.reports)
        folded = fold_log(log, self.policy)
        letters = letters_of(topics[DEAD_LETTERS], self.policy.tenant)
        sent = f"{len(self.played.actions)} actions were sent"
        _say(console, f"日志 log: {folded.events} events, {len(folded.orders)} orders, {sent}")
        codes = Counter(f"{one.code} ({one.name})" for one in letters).most_common()
        refused = ", ".join(f"{count} × {code}" for code, count in codes) or "–"
        _say(console, f"死信 dead letters {len(letters)}: {refused}")
        asks = Asks(map(heard_of, log))
        for line in told(asks, self.receiver, self.played.speed):
            _say(console, line)
        broken = [
            *folded.broken,
            *unaccounted(folded, letters, self.reports, self.played.actions, self.policy.tenant),
            *asks.broken(self.receiver.heard_of, self.played.until),
            *check_receiver(self.receiver),
            *check_bytes(topics),
            *check_contract(log),
        ]
        _verdict(console, broken)
        return not broken


def _unique(records: Sequence[ConsumerRecord]) -> list[Heard]:
    """The events of a topic, each id once, as any consumer of it would do."""
    return list({event.id: event for event in map(heard_of, records)}.values())


def _verdict(console: Console, broken: Sequence[Broken]) -> None:
    if not broken:
        held = (
            "I1 I2 I3 I4 I5 I7, the contract; every request and action is accounted for; "
            "every offer that was not taken back reached its technician"
        )
        _say(console, f"不变量全部成立 invariants hold: {held}")
        return
    _say(console, f"不变量被破坏 {len(broken)} broken:")
    for one in broken[:MOST_SHOWN]:
        _say(console, f"  {one}")
    if len(broken) > MOST_SHOWN:
        _say(console, f"  … and {len(broken) - MOST_SHOWN} more")


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False, markup=False)
