"""OpenTelemetry traces: off unless DISPATCH_TRACES says so, and an extra (``otel``) of the package.

An input that came with a ``traceparent`` keeps it on its whole way, byte for byte: events are the same however often
they are written, so that no span of ours may stand in them. Each step adds a span to the input's own trace, beside the
others, and one for its batch, which is linked to all of them. Where spans go is said by the SDK's variables (OTEL_…).
"""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dispatch import __version__
from dispatch.errors import ConfigError

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord
    from opentelemetry.sdk.trace import TracerProvider

MOST_LINKS: Final = 128
_PARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_IN_JSON: Final = re.compile(rb'"traceparent"\s*:\s*"(00-[0-9a-f-]{52})"')
_HEADERS: Final = frozenset({"ce_traceparent", "traceparent"})


def traceparent_of(record: "ConsumerRecord") -> str | None:
    """The W3C ``traceparent`` of a record: a header of its own or of CloudEvents, else an attribute of its JSON."""
    for name, value in record.headers or ():
        if name in _HEADERS and value:
            return str(value.decode("ascii", "replace"))
    found = _IN_JSON.search(record.value or b"")
    return found[1].decode() if found else None


class Tracing:
    """Writes spans of batches that are done."""

    def __init__(self, provider: "TracerProvider") -> None:
        """Whoever hands a provider over says where its spans go."""
        self._provider = provider
        self._tracer = provider.get_tracer("dispatch", __version__)

    def batch(self, role: str, lane: int, records: "Sequence[ConsumerRecord]", seconds: float) -> None:
        """A batch that took so long has just been done: its span, and one for each input that is traced."""
        from opentelemetry.trace import Link, SpanKind  # noqa: PLC0415 -- an extra

        end_ns = time.time_ns()
        start_ns = end_ns - int(seconds * 1e9)
        common: dict[str, Any] = {"dispatch.role": role, "dispatch.lane": lane, "messaging.system": "kafka"}
        parents = [(record, found) for record in records if (found := _context(traceparent_of(record))) is not None]
        span = self._tracer.start_span(
            f"{role} batch",
            kind=SpanKind.CONSUMER,
            start_time=start_ns,
            attributes={**common, "messaging.batch.message_count": len(records)},
            links=[Link(parent) for _record, parent in parents[:MOST_LINKS]],
        )
        for record, parent in parents:
            self._input(role, record, parent, span.get_span_context(), (start_ns, end_ns), common)
        span.end(end_ns)

    def _input(
        self,
        role: str,
        record: "ConsumerRecord",
        parent: Any,
        batch: Any,
        times_ns: tuple[int, int],
        common: dict[str, Any],
    ) -> None:
        from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, set_span_in_context  # noqa: PLC0415 -- an extra

        place = {
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
        }
        span = self._tracer.start_span(
            role,
            context=set_span_in_context(NonRecordingSpan(parent)),
            kind=SpanKind.CONSUMER,
            start_time=times_ns[0],
            attributes={**common, **place},
            links=[Link(batch)],
        )
        span.end(times_ns[1])

    def stop(self) -> None:
        """Send what is left; blocks for as long as that takes, within the exporter's own bounds."""
        self._provider.shutdown()


def _context(text: str | None) -> Any:
    """The span that a ``traceparent`` names, None when it names none."""
    found = _PARENT.fullmatch(text or "")
    if found is None:
        return None
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 -- an extra

    return SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(int(found[3], 16)))


def start_tracing() -> Tracing:
    """Traces as the SDK's variables say (OTEL_EXPORTER_OTLP_ENDPOINT …). Raises ConfigError without the extra."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 -- an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 -- an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 -- an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 -- an extra
    except ImportError:
        raise ConfigError(
            "environment",
            None,
            "DISPATCH_TRACES: OpenTelemetry is not installed",
            "the extra `workorder-dispatch[otel]`",
        ) from None
    resource = Resource.create({"service.name": "dispatch", "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
