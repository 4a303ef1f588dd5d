"""Whether all has come to rest: every input answered, every ask heard; so that a day ends no later than it must."""

from collections.abc import Set as AbstractSet

from dispatch.demo.accounts import letter_of
from dispatch.demo.asks import Asks
from dispatch.demo.stage import Heard
from dispatch.topics import DEAD_LETTERS, WORK_ORDERS


class Register:
    """What the log and the dead letters have said so far, as one who counts reads it."""

    def __init__(self, tenant: str) -> None:
        """Nothing has been said."""
        self._tenant = tenant
        self._answered: set[str] = set()
        self._requests: set[str] = set()
        self.asks = Asks()

    async def hear(self, event: Heard) -> None:
        """One event of the log or one dead letter; others say nothing here."""
        if event.topic == DEAD_LETTERS:
            letter = letter_of(event.data, self._tenant)
            self._answered.add(letter.input)
            if letter.request_id is not None:
                self._requests.add(letter.request_id)
            return
        if event.topic != WORK_ORDERS:
            return
        if cause := event.headers.get("causationid"):
            self._answered.add(cause.removeprefix(f"{self._tenant}:"))
        if event.type == "work-order.opened":
            self._requests.add(event.data["request_id"])
        self.asks.note(event)

    def waits_for(self, actions: AbstractSet[str], requests: AbstractSet[str], heard_of: AbstractSet[str]) -> int:
        """How many inputs have come to nothing yet, and how many technicians have not heard what they are asked."""
        silent = len(actions - self._answered) + len(requests - self._requests)
        return silent + len(self.asks.unheard(heard_of))
