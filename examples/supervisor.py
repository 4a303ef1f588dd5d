"""A supervisor: subscribes to dispatch.escalations, shows what slips, and acknowledges what is for them.

    python examples/supervisor.py --as supervisor --id chen --kafka 127.0.0.1:9092

An acknowledged ladder rests (until `until`, where given); one that nobody acknowledges climbs to the next rung.
"""

from typing import Any

from aiokafka import AIOKafkaProducer
from streams import DONE, NOTHING, Event, arguments, consumer_for, events, producer_for, publish, run, say

SHOWN = ("clock.warned", "clock.breached", "escalation.raised", "escalation.held", "escalation.resolved")


def line(event: Event) -> str:
    """One line of what happened: which order, which promise, how much time is left, who holds it."""
    data = event.data
    clocks = ",".join(one["name"] for one in data.get("clocks", ())) or data.get("clock") or ""
    left = f" {data['time_left_s']} s left" if data.get("time_left_s") is not None else ""
    owner = (data.get("owner") or {}).get("id", "")
    words = (event.time, event.type, data["work_order_id"], f"level {data['level']}" if "level" in data else "")
    return " ".join(word for word in (*words, data.get("cause") or "", clocks + left, owner) if word)


def is_for(data: dict[str, Any], who: str) -> bool:
    """Whether a rung was climbed for this person or role."""
    return any(who in (one["id"], one.get("role")) for one in data.get("recipients", ()))


async def acknowledge(producer: AIOKafkaProducer, event: Event, who: str) -> None:
    """I know, and act: the ladder rests."""
    order_id = event.data["work_order_id"]
    action = {
        "work_order_id": order_id,
        "actor": {"id": who, "role": "supervisor"},
        "escalation_id": event.data["escalation_id"],
        "note": "已知悉，正在处理 known, being dealt with",
    }
    await publish(
        producer,
        "dispatch.actions",
        "action.acknowledge",
        action,
        event_id=f"{event.id}:acknowledge",
        source=f"/examples/supervisor/{who}",
        key=order_id,
    )


async def main() -> int:
    """0 when at least one acknowledgement took effect, 1 when none did."""
    parser = arguments(__doc__)
    parser.add_argument("--as", dest="role", default="supervisor", help="for whom a rung must be: a role or a person")
    parser.add_argument("--id", default="supervisor-1", help="who acknowledges")
    parser.add_argument("--from-beginning", action="store_true", help="also what came before the first start")
    given = parser.parse_args()
    group = f"example-supervisor-{given.id}"
    consumer = consumer_for(given.kafka, "dispatch.escalations", group=group, beginning=given.from_beginning)
    acknowledged = 0
    async with consumer, producer_for(given.kafka) as producer:
        async for event in events(consumer, given.for_s):
            data = event.data
            if event.type in SHOWN:
                say(line(event))
            if event.type == "escalation.raised" and is_for(data, given.role):
                await acknowledge(producer, event, given.id)
            if event.type == "escalation.acknowledged" and data.get("by") == given.id:
                say(f"acknowledged {data['escalation_id']} of {data['work_order_id']}")
                acknowledged += 1
                if given.once:
                    break
    return DONE if acknowledged else NOTHING


if __name__ == "__main__":
    run(main)
