"""What is wrong with ``hooks.yaml`` beyond its form: names that lead nowhere, fields that no message has. Pure."""

from collections.abc import Iterator
from ipaddress import ip_network

from dispatch.hooks.words import FIELDS, fields_of
from dispatch.models.catalog import EVENT_TYPES
from dispatch.models.hooks import LOCALES, HooksDocument, RobotHook, SmsHook, SmtpHook, WebhookHook
from dispatch.rules.findings import Finding, Path, unknown
from dispatch.rules.policy import Policy
from dispatch.topics import WORK_ORDERS

TOLD_TYPES = frozenset(
    name.removeprefix("dispatch.").removesuffix(".v1") for name, row in EVENT_TYPES.items() if WORK_ORDERS in row.topics
) - {"lane.decided"}
"""Events that may be told: all of the log but its own marks."""


def check_hooks(document: HooksDocument, policy: Policy) -> list[Finding]:
    """All findings, in the order of the file."""
    return [*_hooks(document), *_names(document), *_routes(document, policy), *_templates(document)]


def _hooks(document: HooksDocument) -> Iterator[Finding]:
    for name, hook in document.hooks.items():
        if isinstance(hook, WebhookHook | RobotHook | SmsHook | SmtpHook):
            for number, text in enumerate(hook.allow):
                try:
                    ip_network(text)
                except ValueError as error:
                    yield Finding(("hooks", name, "allow", number), str(error), "an address or a network: 10.1.0.0/16")
        if isinstance(hook, RobotHook) and hook.kind == "wecom" and hook.secret:
            yield Finding(("hooks", name, "secret"), "a WeCom robot signs nothing", "no 'secret', only a 'key'")


def _names(document: HooksDocument) -> Iterator[Finding]:
    places: list[tuple[Path, str]] = [
        (("defaults", kind, number), one)
        for kind, names in document.defaults.items()
        for number, one in enumerate(names)
    ]
    places += [
        (("receivers", receiver, "hooks", number), one)
        for receiver, contact in document.receivers.items()
        for number, one in enumerate(contact.hooks)
    ]
    for path, name in places:
        if missing := unknown(path, "hook", name, document.hooks):
            yield missing


def _routes(document: HooksDocument, policy: Policy) -> Iterator[Finding]:
    for number, route in enumerate(document.routes):
        if missing := unknown(("routes", number, "event"), "event", route.event, TOLD_TYPES):
            yield missing
        if missing := unknown(("routes", number, "template"), "template", route.template, document.templates):
            yield missing
        for index, name in enumerate(route.through):
            if missing := unknown(("routes", number, "through", index), "hook", name, document.hooks):
                yield missing
        for index, name in enumerate(route.when.territory):
            if missing := unknown(
                ("routes", number, "when", "territory", index), "territory", name, policy.territories
            ):
                yield missing


def _templates(document: HooksDocument) -> Iterator[Finding]:
    for name, template in document.templates.items():
        for locale in LOCALES:
            path: Path = ("templates", name, locale)
            try:
                fields = fields_of(getattr(template, locale))
            except ValueError as error:
                yield Finding(path, f"braces that cannot be read: {error}", "fields like {display_no}")
                continue
            for field in sorted(fields - FIELDS):
                found = unknown(path, "field", f"{field}", FIELDS)
                if found:
                    yield found
