"""A technician's app: hears its assignments on dispatch.assignments, and answers by actions: accept, arrive, complete.

    python examples/technician.py --id n01 --kafka 127.0.0.1:9092

Each action's id is made of the event that it answers, so an event that comes twice is answered once; its key is the
order's id, so that the actions of one order stay in order on their way.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from streams import DONE, NOTHING, Event, arguments, consumer_for, events, producer_for, publish, run, say

ASKED = ("work-order.offered", "work-order.assigned")


class App:
    """What one technician's phone does by itself here, and a person would do by tapping."""

    def __init__(self, producer: AIOKafkaProducer, technician_id: str, work_s: float) -> None:
        """``work_s``: how long a repair takes."""
        self.producer = producer
        self.id = technician_id
        self.work_s = work_s
        self.done = 0

    async def hear(self, event: Event) -> None:
        """An offer or an assignment is accepted; what has been accepted is done."""
        data = event.data
        if data.get("technician_id") != self.id:
            return
        if event.type in ASKED and not _expired(data):
            say(f"{event.type} {data['work_order_id']}: {data.get('text', '')}")
            say(f"  {(data.get('why') or {}).get('zh', '')} {(data.get('why') or {}).get('en', '')}".rstrip())
            await self.act("accept", event)
        elif event.type == "work-order.accepted":
            await self.act("arrive", event)
            await self.act("start", event)
            await asyncio.sleep(self.work_s)
            await self.act("complete", event, visit_no=1, disposition="fixed", remedy_code="replaced")
            self.done += 1
        elif event.type == "work-order.withdrawn":
            say(f"withdrawn {data['work_order_id']}: {data.get('reason', '')}")

    async def act(self, name: str, event: Event, **said: Any) -> None:
        """Publish an action on the leg that the event is about."""
        data = event.data
        order_id = data["work_order_id"]
        actor = {"id": self.id, "role": "technician"}
        action = {"work_order_id": order_id, "actor": actor, "assignment_id": data["assignment_id"], **said}
        source = f"/examples/technician/{self.id}"
        await publish(
            self.producer,
            "dispatch.actions",
            f"action.{name}",
            action,
            event_id=f"{event.id}:{name}",
            source=source,
            key=order_id,
        )
        say(f"  {name} {order_id}")


def _expired(data: dict[str, Any]) -> bool:
    expires_at = data.get("expires_at")
    return expires_at is not None and datetime.fromisoformat(expires_at) < datetime.now(UTC)


async def main() -> int:
    """0 when at least one order was completed, 1 when none was."""
    parser = arguments(__doc__)
    parser.add_argument("--id", required=True, help="the technician, as the roster calls them")
    parser.add_argument("--work", type=float, default=0.0, metavar="SECONDS", help="how long a repair takes")
    parser.add_argument("--from-beginning", action="store_true", help="also what came before the first start")
    given = parser.parse_args()
    group = f"example-technician-{given.id}"
    consumer = consumer_for(given.kafka, "dispatch.assignments", group=group, beginning=given.from_beginning)
    async with consumer, producer_for(given.kafka) as producer:
        app = App(producer, given.id, given.work)
        async for event in events(consumer, given.for_s):
            await app.hear(event)
            if given.once and app.done:
                break
    return DONE if app.done else NOTHING


if __name__ == "__main__":
    run(main)
