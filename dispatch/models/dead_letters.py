"""Outgoing: input that was refused, kept whole so that it can be read, repaired and sent again."""

from typing import Annotated

from pydantic import Field

from dispatch.models.base import Code, Count, Id, Line, Model


class InputError(Model):
    """One thing wrong with an input: where (dotted path), and what."""

    path: Annotated[str, Field(max_length=1_000)]
    message: Annotated[str, Field(max_length=4_000)]


class InputRefused(Model):
    """A record that was read and refused: where it lay, what it held (`raw` in base64), and why.

    `code` is stable. Keys and headers are text; bytes that are no UTF-8 stand there as backslash escapes.
    """

    topic: Id
    partition: Count
    offset: Count
    code: Code
    key: Annotated[str, Field(max_length=100_000)] | None = None
    headers: Annotated[dict[str, str], Field(max_length=1_000)] = Field(default_factory=dict)
    raw: str | None = None
    errors: Annotated[tuple[InputError, ...], Field(max_length=1_000)] = ()
    input_id: Line | None = None
    input_type: Line | None = None
    attempts: Count | None = None
