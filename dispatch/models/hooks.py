"""``hooks.yaml`` as typed data: through which hooks people hear, who hears of what, and in which words.

It stands beside the policy: hooks change without a new version of the rules. Secrets never stand in it, only the
names of the environment variables that hold them.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dispatch.models.policy_base import DurationS, Name, Part, Urgency
from dispatch.models.roster import TimeOfDay

Locale = Literal["zh", "en"]
LOCALES: tuple[Locale, ...] = ("zh", "en")


def _no_setting(name: str) -> str:
    if name.startswith("DISPATCH_"):
        msg = "a name that does not begin with DISPATCH_, for those are settings"
        raise ValueError(msg)
    return name


Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$"), AfterValidator(_no_setting)]
"""The name of an environment variable that holds a secret; those of ``DISPATCH_`` are settings."""
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2_000)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Receiver = Annotated[str, Field(pattern=r"^(role|team|org|person)/[A-Za-z0-9_.:-]{1,100}$")]
"""``role/dispatcher``: who is not found in the people store, but here."""


class _Hook(Part):
    """What all hooks share. ``concurrency``: how many messages may be under way to it at a time."""

    concurrency: int = Field(default=8, ge=1, le=200)
    timeout: Annotated[DurationS, Field(ge=1, le=120)] = 10


class HttpHook(_Hook):
    """``allow`` names addresses or networks that are not public; ``ports`` are all it may connect to."""

    allow: tuple[str, ...] = ()
    ports: tuple[Port, ...] = (443,)
    cafile: str | None = None


class LogHook(_Hook):
    """A line in the worker's own log; for demos, tests, and whoever collects logs anyway."""

    kind: Literal["log"]


class WebhookHook(HttpHook):
    """HTTP, signed as Standard Webhooks 1.0 with every secret named; ``{receiver}`` in the path is whom it is for."""

    kind: Literal["webhook"]
    url: Url
    secrets: tuple[Variable, ...] = Field(min_length=1, max_length=5)
    contact: bool = False
    """Whether the receiver's name, number and mail address are joined into the message."""


class RobotHook(HttpHook):
    """A group robot. ``key`` holds what stands in its address, ``secret`` what it signs with (WeCom has none)."""

    kind: Literal["wecom", "dingtalk", "feishu"]
    key: Variable
    secret: Variable | None = None
    base_url: Url | None = None
    per_minute: int = Field(default=20, ge=1, le=600)
    merge: int = Field(default=10, ge=1, le=50)


class SmtpHook(_Hook):
    """Mail through one server of the house; ``tls``: from the first byte, after STARTTLS, or not at all."""

    kind: Literal["smtp"]
    host: str
    port: Port = 465
    tls: Literal["tls", "starttls", "none"] = "tls"
    sender: Annotated[str, Field(pattern=r"^[^\s@<>]+@[^\s@<>]+$")]
    username: Variable | None = None
    password: Variable | None = None
    allow: tuple[str, ...] = ()
    cafile: str | None = None


class SmsHook(HttpHook):
    """A provider's gateway: ``{"id", "to", "text"}`` by HTTP, signed like a webhook."""

    kind: Literal["sms"]
    url: Url
    secrets: tuple[Variable, ...] = Field(min_length=1, max_length=5)
    per_minute: int = Field(default=600, ge=1, le=60_000)


Hook = Annotated[LogHook | WebhookHook | RobotHook | SmtpHook | SmsHook, Field(discriminator="kind")]


class Quiet(Part):
    """Hours of the day, in the site's time zone, in which only emergencies are told; ``from`` may be after ``to``."""

    start: TimeOfDay
    end: TimeOfDay


class Retry(Part):
    """Exponential backoff between ``first`` and ``most``; after ``fall_back`` failures the next hook is tried."""

    first: Annotated[DurationS, Field(ge=1)] = 2
    most: Annotated[DurationS, Field(ge=1)] = 1800
    give_up: Annotated[DurationS, Field(ge=1, le=7 * 86400)] = 86400
    fall_back: int = Field(default=3, ge=1, le=20)


class Breaker(Part):
    """After ``failures`` in a row an endpoint rests for ``rest``, then twice as long, at most for ``most``."""

    failures: int = Field(default=5, ge=1, le=100)
    rest: Annotated[DurationS, Field(ge=1)] = 5
    most: Annotated[DurationS, Field(ge=1)] = 300


class Contact(Part):
    """How a role, a team, an organisation or a person hears; ``on_duty`` finds the technicians now on such a shift."""

    hooks: tuple[Name, ...] = ()
    locale: Locale | None = None
    email: str | None = None
    phone: str | None = None
    on_duty: Literal["leader", "member"] | None = None


To = Literal["technician", "reporter", "followers", "supervisor", "recipients", "owner", "team", "organisation"]


class RouteWhen(Part):
    """Narrows a route; empty lists say nothing."""

    urgency: tuple[Urgency, ...] = ()
    territory: tuple[Name, ...] = ()
    reason: tuple[str, ...] = ()
    cause: tuple[str, ...] = ()
    what: tuple[str, ...] = ()


class Route(Part):
    """One row: an event, who hears of it, in which words; ``through`` comes before the receiver's own hooks."""

    event: Annotated[str, Field(pattern=r"^[a-z-]+\.[a-z-]+$")]
    to: tuple[To | Receiver, ...] = Field(min_length=1)
    template: Name
    when: RouteWhen = RouteWhen()
    through: tuple[Name, ...] = ()
    give_up: Annotated[DurationS, Field(ge=1, le=7 * 86400)] | None = None
    quiet: Literal["keep", "break"] = "keep"


class Words(Part):
    """A title and lines; a line whose fields are all empty is left out."""

    title: str
    text: str


class Template(Part):
    """One message in both languages."""

    zh: Words
    en: Words


class HooksDocument(Part):
    """``hooks.yaml``, whole."""

    locale: Locale = "zh"
    hooks: dict[Name, Hook]
    defaults: dict[Literal["technician", "reporter", "role", "team", "org", "person"], tuple[Name, ...]] = Field(
        default_factory=dict
    )
    quiet: Quiet | None = None
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    receivers: dict[Receiver, Contact] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    templates: dict[Name, Template] = Field(default_factory=dict)
    max_age: DurationS = 86400
    """Events that have stood on the log for longer when they are first read are not told any more."""
