"""All checks over one run, as counters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dispatch.stores.redis import RedisStore, connect
from dispatch.topics import REQUESTS
from tests.crash.checks_ids import out_of_order, repeated_effects, same_id_other_bytes, stale_accepted
from tests.crash.checks_inputs import lost_inputs
from tests.crash.checks_state import Folded, double_assigned, lost_orders, other_state
from tests.crash.checks_timers import LATE_WALL_S, check_timers
from tests.crash.recorded import Recorded
from tests.crash.stage import Stage

COUNTERS = (
    "lost",
    "double_assigned",
    "missed_timers",
    "early_escalations",
    "stale_accepted",
    "repeated_effects_after_id_dedupe",
    "same_id_other_bytes",
    "out_of_order",
    "other_state",
)
SHOWN = 5


@dataclass
class Verdict:
    """What the checks found, by counter, and figures that tell how much they looked at."""

    found: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings each counter has."""
        return {name: len(self.found.get(name, ())) for name in COUNTERS}

    @property
    def clean(self) -> bool:
        """Whether there are none."""
        return not any(self.counts.values())

    @property
    def first(self) -> str:
        """The first finding of each counter that has any."""
        return "\n".join(f"{name}: {len(found)}, first {found[0]}" for name, found in self.found.items() if found)

    def tell(self, say: Callable[[str], None], only: str | None = None) -> None:
        """Say the first findings of each counter."""
        for name, findings in self.found.items():
            if only in {None, name}:
                for one in findings[:SHOWN]:
                    say(f"  {name}: {one}")


def judge(run: Recorded, stage: Stage, ended_at_s: float, late_s: float = LATE_WALL_S) -> tuple[Verdict, Folded]:
    """Every check that needs the topics alone."""
    folded = Folded(run)
    timing = check_timers(run, stage, ended_at_s, late_s)
    found: Mapping[str, list[str]] = {
        "lost": [*lost_inputs(run, ended_at_s), *lost_orders(folded)],
        "double_assigned": list(double_assigned(run)),
        "missed_timers": timing.missed,
        "early_escalations": timing.early,
        "stale_accepted": list(stale_accepted(run)),
        "repeated_effects_after_id_dedupe": list(repeated_effects(run)),
        "same_id_other_bytes": list(same_id_other_bytes(run)),
        "out_of_order": list(out_of_order(run)),
    }
    states = [order.state for one in folded.territories.values() for order in one.orders.values()]
    finals = sum(len(one) for one in folded.finals.values())
    figures = {
        "requests": sum(1 for sent in run.inputs.values() if sent[0][0].topic == REQUESTS),
        "inputs": len(run.inputs),
        "input_records": sum(len(sent) for sent in run.inputs.values()),
        "events": sum(len(events) for events in run.log.values()),
        "event_records": len(run.topics["dispatch.work-orders"]),
        "dead_letters": len(run.letters),
        "orders_final": finals,
        "orders_open": len(states),
        "timers_fired": timing.fired,
        "latest_timer_s": round(timing.latest_wall_s, 1),
    }
    return Verdict(dict(found), figures), folded


async def judge_with_store(run: Recorded, stage: Stage, ended_at_s: float, late_s: float = LATE_WALL_S) -> Verdict:
    """Every check, that of the store's state included (I8)."""
    verdict, folded = judge(run, stage, ended_at_s, late_s)
    client = connect(stage.redis)
    try:
        verdict.found["other_state"] = await other_state(run, folded, RedisStore(client))
    finally:
        await client.aclose()
    return verdict
