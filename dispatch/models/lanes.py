"""Outgoing: the end of a lane's batch, without which the batch is not folded."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from dispatch.models.base import Count, Id, Instant, Model, Position, Slug

Abandoned = TypedDict("Abandoned", {"from": Count, "to": Count})
"""Sequences, both ends included, that were written by a batch that never ended."""


class LaneDecided(Model):
    """What one batch read, when, under which rules, and how many events it wrote (itself excluded).

    `positions` by input topic; `commands` counts what was decided, `repeated` and `refused` those of them that were;
    `edges` holds the last sequence heard from each territory that sends here.
    """

    territory: Slug
    tenant: Slug
    batch_id: Id
    positions: Annotated[dict[Id, Position], Field(max_length=100)]
    now: Instant
    policy_version: Id
    engine_version: Id
    events: Count
    commands: Count | None = None
    repeated: Count | None = None
    refused: Count | None = None
    edges: Annotated[dict[Id, Count], Field(max_length=10_000)] = Field(default_factory=dict)
    next_due_at: Instant | None = None
    abandoned: Abandoned | None = None
