"""Commands: the lanes' ordered input, written by intake, clock, other lanes and the policy command.

They never leave the engine, so they are compact structs and not part of the published contract.
"""

from typing import Any

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing for a lane to decide.

    ``id`` is the idempotency key of the input behind it; ``type`` names the rule: ``open``, ``act``,
    ``technician.updated`` …, ``due``, ``adopt``, ``policy.activated``. ``origin`` is where the input was read.
    """

    id: str
    type: str
    tenant: str
    territory: str
    data: dict[str, Any]
    time: str
    order_id: str | None = None
    correlation: str | None = None
    traceparent: str | None = None
    origin: dict[str, Any] | None = None
    sender: str | None = None
    sender_sequence: int = 0

    def looks_at(self) -> list[str]:
        """The orders that deciding this may look at: its own, and the one that a letter is about."""
        return [one for one in (self.order_id, self.data.get("about_ref")) if one]


def root_of(order_id: str) -> str:
    """The order that a part was split off from, whose route it has; of any other order itself."""
    return order_id.split("-", 1)[0]


encode_command = msgspec.json.Encoder().encode
decode_command = msgspec.json.Decoder(Command).decode
