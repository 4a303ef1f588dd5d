"""What a client sees of a topic."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A record as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: Mapping[str, str]
    value: bytes
    number: int

    @property
    def id(self) -> str:
        return self.headers.get("ce_id", "")

    @property
    def type(self) -> str:
        """`work-order.opened` for `dispatch.work-order.opened.v1`; for a command its own type."""
        kind = self.headers.get("ce_type")
        if kind is not None:
            return kind.removeprefix("dispatch.").removesuffix(".v1")
        return self.data.get("type", "") if self.topic.startswith("dispatch.commands") else ""

    @property
    def subject(self) -> str:
        return self.headers.get("ce_subject", "")

    @cached_property
    def data(self) -> dict[str, Any]:
        """The value as an object; an empty one when it is none."""
        try:
            found = json.loads(self.value)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
