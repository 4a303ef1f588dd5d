"""A channel: publishes a service request in Chinese and one in English, and tells the reporter what was promised.

    python examples/channel.py --kafka 127.0.0.1:9092
    python examples/channel.py --lang en --text "No light in the stairwell" --area north.n3 --room 2F

The request's id is the channel's own. Sending it again, with the same id, is harmless: that is how a channel retries.
"""

import uuid

from aiokafka import AIOKafkaConsumer
from streams import DONE, NOTHING, arguments, consumer_for, events, producer_for, publish, run, say

SOURCE = "/examples/channel"
TEXTS = {"zh": "水龙头关不上，一直滴水", "en": "The light in the corridor flickers"}
ACCEPTED = {"zh": "已受理，单号 {no}，承诺 {due} 前修好。", "en": "Accepted as {no}, to be repaired by {due}."}
KNOWN = {
    "zh": "已受理，单号 {no}。这个问题已有人报修，一并处理。",
    "en": "Accepted as {no}. It is known already and being dealt with.",
}
REFUSED = {"zh": "未受理（{code}）：{why}", "en": "Not accepted ({code}): {why}"}


def request(request_id: str, language: str, text: str, area: str, room: str) -> dict[str, object]:
    """What a channel says. Name and phone stay out of the log: the engine keeps them in its people store."""
    return {
        "request_id": request_id,
        "channel": "app",
        "reporter": {"id": "stu-7", "name": "Li Lei", "phone": "19900001234", "locale": language},
        "text": text,
        "location": {"area_id": area, "room": room},
        "locale": language,
    }


async def main() -> int:
    """0 when each request was accepted (or published, with --once), 1 when one was refused or not answered."""
    parser = arguments(__doc__)
    parser.add_argument("--lang", choices=("zh", "en", "both"), default="both", help="the reporter's language")
    parser.add_argument("--text", help="what is wrong [a dripping tap, a flickering light]")
    parser.add_argument("--area", default="north.n3", help="an area of config/territories.yaml")
    parser.add_argument("--room", default="402")
    given = parser.parse_args()
    languages = ("zh", "en") if given.lang == "both" else (given.lang,)
    # `work-order.opened` is copied to completions; a refusal stands on dead-letters with the place of the input.
    consumer = consumer_for(given.kafka, "dispatch.completions", "dispatch.dead-letters")
    async with consumer, producer_for(given.kafka) as producer:
        await consumer.seek_to_end()
        waiting: dict[str, tuple[str, tuple[str, int, int]]] = {}
        for language in languages:
            request_id = f"r-{uuid.uuid4()}"
            data = request(request_id, language, given.text or TEXTS[language], given.area, given.room)
            place = await publish(
                producer,
                "dispatch.requests",
                "request.submitted",
                data,
                event_id=request_id,
                source=SOURCE,
                key=request_id,
            )
            waiting[request_id] = (language, place)
            say(f"published {request_id}")
        if given.once:
            return DONE
        return await hear(consumer, waiting, given.for_s or 30.0)


async def hear(consumer: AIOKafkaConsumer, waiting: dict[str, tuple[str, tuple[str, int, int]]], for_s: float) -> int:
    """Tell each reporter what became of the request, in their language."""
    refused = False
    async for event in events(consumer, for_s):
        data = event.data
        if event.type == "work-order.opened" and event.request in waiting:
            language, _place = waiting.pop(event.request)
            # A report of what is known already makes no promise of its own.
            due = next((one["due_at"] for one in data.get("targets", ()) if one["name"] == "resolve"), None)
            words = ACCEPTED if due else KNOWN
            say(words[language].format(no=data["display_no"], due=due))
        elif event.type == "input.refused":
            place = (data["topic"], data["partition"], data["offset"])
            for request_id in [one for one, (_language, mine) in waiting.items() if mine == place]:
                language, _place = waiting.pop(request_id)
                say(REFUSED[language].format(code=data["code"], why=data["errors"][0]["message"]))
                refused = True
        if not waiting:
            return NOTHING if refused else DONE
    say(f"no answer to {', '.join(waiting)}: does a worker run?")
    return NOTHING


if __name__ == "__main__":
    run(main)
