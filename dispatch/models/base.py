"""What all models share: strictness, limits, and the small values that occur everywhere.

Models are read with `model_validate_json`: strict, yet RFC 3339 strings become aware datetimes.
Unknown fields are ignored, for schemas only grow and an older engine must bear a newer sender.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MAX_TEXT: Final = 4_000
MAX_INTEGER: Final = 2**53 - 1
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Bounds of every moment: at the ends of the calendar arithmetic overflows, and nobody means them."""
_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+$"


class _Rfc3339:
    """RFC 3339 with an offset. pydantic alone would also read a string of digits as seconds since 1970."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """JSON: text that begins like a date, then an aware datetime. Python: an aware datetime."""
        text = core_schema.str_schema(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", max_length=64, strict=True)

        def moment(*, strict: bool) -> CoreSchema:
            return core_schema.datetime_schema(tz_constraint="aware", strict=strict, ge=EARLIEST, le=LATEST)

        return core_schema.json_or_python_schema(
            json_schema=core_schema.chain_schema([text, moment(strict=False)]), python_schema=moment(strict=True)
        )

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A string in the format date-time."""
        return {"type": "string", "format": "date-time"}


Instant = Annotated[datetime, _Rfc3339()]
"""A moment, with offset. A time without one is refused."""

Id = Annotated[str, Field(min_length=1, max_length=200, pattern=_PRINTABLE)]
"""An identifier: opaque, without control characters."""

Slug = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""The name of a tenant or a territory: it stands in Kafka keys and Redis hash tags."""

Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
"""A word of an open catalogue (role, trade, kind, disposition …), checked against the policy later."""

Reason = Annotated[str, Field(min_length=1, max_length=200, pattern=_PRINTABLE)]
"""A word of a catalogue of reasons, or a few words of one's own."""

Line = Annotated[str, Field(max_length=200)]
"""One line for people: a name, a room, a phone number."""

Text = Annotated[str, Field(max_length=MAX_TEXT)]
"""Free text for people, at most 4,000 characters."""

Uri = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
"""Where something lies; never fetched by the engine."""

Decimal = Annotated[str, Field(max_length=32, pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$")]
"""A decimal number as a string, so that nothing is rounded on the way."""

Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
"""How many; never negative."""

Integer = Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
"""A whole number that every JSON reader reads exactly."""

Seconds = Annotated[int, Field(ge=0, le=10**10)]
"""A duration in whole seconds."""

SignedSeconds = Annotated[int, Field(ge=-(10**10), le=10**10)]
"""A duration in whole seconds that may have run out."""

Permille = Annotated[int, Field(ge=0, le=1_000)]
"""A share in thousandths."""

Metres = Annotated[float, Field(ge=0, le=1e8, allow_inf_nan=False)]
"""A distance in metres."""

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]

Urgency = Literal["emergency", "urgent", "normal", "low"]
Impact = Literal["item", "room", "floor", "building", "campus"]
AssetState = Literal["in_service", "degraded", "out_of_service"]
CoordinateSystem = Literal["WGS84", "GCJ-02"]
Verdict = Literal["met", "breached"]

Codes = Annotated[tuple[Code, ...], Field(max_length=50)]
Ids = Annotated[tuple[Id, ...], Field(max_length=200)]
Level = Annotated[int, Field(ge=1, le=5)]
"""How skilled: 1 (helper) to 5 (master)."""


class Model(BaseModel):
    """The base of all models: frozen, strict, keyword-only, and silent about what it refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True, defer_build=True)


class Money(Model):
    """An amount in the smallest unit of its currency (fen, cent), with its ISO 4217 code."""

    amount_minor: Integer
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Quantity(Model):
    """How much of what unit: `{"value": "2.5", "unit": "m"}`."""

    value: Decimal
    unit: Code


class Span(Model):
    """A stretch of time; one without an end is still going on."""

    start: Instant
    end: Instant | None = None


class Window(Model):
    """From `start` up to, not including, `end`."""

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end <= self.start:
            msg = "a window ends after its start"
            raise ValueError(msg)
        return self


Windows = Annotated[tuple[Window, ...], Field(max_length=100)]


class Location(Model):
    """Where: by area, by words, or by coordinates; `coordinate_system` is WGS84 unless said otherwise."""

    territory: Slug | None = None
    area_id: Id | None = None
    building: Line | None = None
    floor: Line | None = None
    room: Line | None = None
    space_type: Code | None = None
    asset_id: Id | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    coordinate_system: CoordinateSystem | None = None
    note: Text | None = None


class Place(Location):
    """A location that intake has resolved: `area_path` runs from the campus down to the place itself."""

    area_path: Ids = ()


class Access(Model):
    """When and how one gets in; `escort`: somebody must come along."""

    windows: Windows = ()
    enter_if_absent: bool | None = None
    escort: bool | None = None
    restrictions: Codes = ()


class Attachment(Model):
    """A picture, a recording, a document: where it lies, and what it is."""

    uri: Uri
    media_type: Line | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    kind: Code | None = None
    taken_at: Instant | None = None


Attachments = Annotated[tuple[Attachment, ...], Field(max_length=50)]
Proofs = Annotated[tuple[Uri | Attachment, ...], Field(max_length=50)]
"""Photos and the like, each as a bare URI or as an attachment."""
Evidence = Uri | Attachment | Proofs
"""One proof, or several."""


class ExternalRef(Model):
    """The same thing's id in another system."""

    system: Code
    id: Id


class Link(Model):
    """Another work order, and how it is related: duplicate_of, child_of, rework_of, follows, split_from."""

    type: Code
    id: Id


class Requirement(Model):
    """Who is needed: `count` people of a trade, of at least a level, holding all the certificates."""

    trade: Code
    min_level: Level | None = None
    certificates: Codes = ()
    count: Annotated[int, Field(ge=1, le=100)] = 1


Requirements = Annotated[tuple[Requirement, ...], Field(max_length=20)]


class LocationEvidence(Model):
    """Where a device said it was; `accuracy_m` in metres."""

    lat: Latitude
    lon: Longitude
    accuracy_m: Metres | None = None


class Position(Model):
    """A place in the log. `incarnation` is Kafka's id of the topic: another one after a re-creation."""

    topic: Id | None = None
    incarnation: Id
    partition: Count
    offset: Count
