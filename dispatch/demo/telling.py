"""What became of the webhooks of a day, in words, and what must hold of them."""

from statistics import quantiles

from dispatch.demo.asks import Asks
from dispatch.demo.invariants import Broken
from dispatch.demo.webhooks import Receiver


def told(asks: Asks, receiver: Receiver, speed: float) -> list[str]:
    """How many webhooks came, and how long after the decision they did. ``speed``: seconds of the day in a second."""
    counts = receiver.counts
    in_vain = asks.in_vain(receiver.heard_of)
    waits_s = _waits_s(asks, receiver, speed)
    p50, p95 = (quantiles(waits_s, n=20)[at] if len(waits_s) > 1 else 0.0 for at in (9, 18))
    came = (
        f"通知 webhooks: {counts['arrived']} 到达 arrived, {counts['repeated']} 重复 repeated, "
        f"{counts['late']} 迟到 late (the offer's time was over); "
        f"{len(in_vain)} of {len(asks.all())} 派单 asks were over before they could be heard"
    )
    waited = (
        f"通知时延 from decision to technician: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms of wall time, "
        f"which is {p50 * speed / 60:.1f} and {p95 * speed / 60:.1f} minutes of this day"
    )
    return [came, waited]


def _waits_s(asks: Asks, receiver: Receiver, speed: float) -> list[float]:
    """The wall seconds between each ask and its arrival."""
    decided = {ask.event_id: ask.at for ask in asks.all()}
    return [
        (message.at - decided[message.event_id]).total_seconds() / speed
        for message in receiver.messages.values()
        if message.event_id in decided
    ]


def check_receiver(receiver: Receiver) -> list[Broken]:
    """I7 at the receiver's end: a repeated id has the same bytes, and an event is told to a receiver under one id."""
    broken = []
    if differing := receiver.counts["differing"]:
        broken.append(Broken(name="I7", what=f"{differing} webhooks came again with other bytes"))
    pairs = {(message.event_id, message.receiver) for message in receiver.messages.values()}
    if twice := len(receiver.messages) - len(pairs):
        broken.append(Broken(name="I7", what=f"{twice} webhooks told somebody the same event under another id"))
    return broken
