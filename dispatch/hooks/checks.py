"""What is wrong with ``hooks.yaml`` and ``advice.yaml`` beyond their form: what leads nowhere, or must not. Pure."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from dispatch.errors import Rejected
from dispatch.hooks.addresses import Guard
from dispatch.hooks.words import FIELDS, fields_of
from dispatch.models.advice import RESERVED, AdviceDocument
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
            yield from _networks(("hooks", name), hook.allow)
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


def check_advice(document: AdviceDocument) -> list[Finding]:
    """All findings of ``advice.yaml``: what its address leads to, what it may spend, what it may ask beside."""
    found = list(_networks((), document.allow))
    found += _address(document, None if found else Guard(document.allow, document.ports))
    if document.per_hour > document.per_day:
        found.append(Finding(("per_hour",), "more an hour than a day", f"at most 'per_day', {document.per_day}"))
    for name in sorted(document.options.keys() & RESERVED):
        found.append(Finding(("options", name), f"'{name}' is not for options", "other fields of a request"))
    return found


def _networks(path: Path, allow: Iterable[str]) -> Iterator[Finding]:
    for number, text in enumerate(allow):
        try:
            ip_network(text)
        except ValueError as error:
            yield Finding((*path, "allow", number), str(error), "an address or a network: 10.1.0.0/16")


def _address(document: AdviceDocument, guard: Guard | None) -> Iterator[Finding]:
    path: Path = ("url",)
    try:
        target = urlsplit(document.url)
        host, port = target.hostname or "", target.port or (443 if target.scheme == "https" else 80)
    except ValueError as error:
        yield Finding(path, str(error), "an address such as https://host/v1/chat/completions")
        return
    if target.username or target.password:
        yield Finding(path, "a name or a password in an address", "the key in the variable that 'api_key_env' names")
    if target.scheme != "https" and not _is_loopback(host):
        yield Finding(path, "reports and the key would be readable on the way", "https, unless it is this machine")
    if not target.path.rstrip("/").endswith("/chat/completions"):
        yield Finding(path, f"the path {target.path!r}", "the one that is asked itself: …/chat/completions")
    if port not in document.ports:
        yield Finding(path, f"port {port} is not among 'ports'", f"one of {list(document.ports)}, or it in 'ports'")
    elif guard is not None and _is_literal(host):
        try:
            guard.check(host, port)
        except Rejected as error:
            yield Finding(path, error.message, "a public address, or it in 'allow'")


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_literal(host) and ip_address(host).is_loopback)
