"""After the day: what the topics hold is read whole, summed up, and held against the invariants."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
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


async def reckon(
    console: Console,
    client: Mapping[str, Any],
    policy: Policy,
    reports: Sequence[Report],
    played: Played,
    receiver: Receiver,
) -> bool:
    """Print the summary and what the invariants say; whether all of them hold."""
    read = await asyncio.gather(*(read_all(client, topic) for topic in READ))
    topics = dict(zip(READ, read, strict=True))
    console.print()
    print_summary(console, _unique(topics[COMPLETIONS]), _unique(topics[ESCALATIONS]), reports)
    folded = fold_log(topics[WORK_ORDERS], policy)
    letters = letters_of(topics[DEAD_LETTERS], policy.tenant)
    sent = f"{len(played.actions)} actions were sent"
    _say(console, f"日志 log: {folded.events} events, {len(folded.orders)} orders, {sent}")
    codes = Counter(f"{one.code} ({one.name})" for one in letters).most_common()
    refused = ", ".join(f"{count} × {code}" for code, count in codes) or "–"
    _say(console, f"死信 dead letters {len(letters)}: {refused}")
    asks = Asks(map(heard_of, topics[WORK_ORDERS]))
    for line in told(asks, receiver, played.speed):
        _say(console, line)
    broken = [
        *folded.broken,
        *unaccounted(folded, letters, reports, played.actions, policy.tenant),
        *asks.broken(receiver.heard_of, played.until),
        *check_receiver(receiver),
        *check_bytes(topics),
        *check_contract(topics[WORK_ORDERS]),
    ]
    _verdict(console, broken)
    return not broken


def _unique(records: Sequence[ConsumerRecord]) -> list[Heard]:
    """The events of a topic, each id once, as any consumer of it would do."""
    return list({event.id: event for event in map(heard_of, records)}.values())


def _verdict(console: Console, broken: Sequence[Broken]) -> None:
    if not broken:
        held = "I1 I2 I3 I4 I5 I7, the contract, every request and action is accounted for, every ask was heard"
        _say(console, f"不变量全部成立 invariants hold: {held}")
        return
    _say(console, f"不变量被破坏 {len(broken)} broken:")
    for one in broken[:MOST_SHOWN]:
        _say(console, f"  {one}")
    if len(broken) > MOST_SHOWN:
        _say(console, f"  … and {len(broken) - MOST_SHOWN} more")


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False, markup=False)
