"""What is counted: the one table of metrics. ``dispatch.agents.pages`` shows them to Prometheus.

Counters and histograms grow once a batch, never once an order; gauges are set when somebody looks. They belong to the
process, as its log does. ``LABELS`` names every metric there is, for whoever draws or alerts by name.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY: Final = CollectorRegistry(auto_describe=False)
LABELS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"), ()),
    **dict.fromkeys(("process_virtual_memory_bytes", "process_open_fds", "process_max_fds"), ()),
}
"""Every series by its name, as Prometheus has it -> its labels."""
ProcessCollector(registry=REGISTRY)

_BATCH_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCH_RECORDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_LATE_S: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)


def _counter(name: str, what: str, *labels: str) -> Counter:
    LABELS[name] = labels
    return Counter(name, what, labels, registry=REGISTRY)


def _gauge(name: str, what: str, *labels: str) -> Gauge:
    LABELS[name] = labels
    return Gauge(name, what, labels, registry=REGISTRY)


def _histogram(name: str, what: str, bounds: Sequence[float], *labels: str) -> Histogram:
    LABELS.update({f"{name}_bucket": (*labels, "le"), f"{name}_sum": labels, f"{name}_count": labels})
    return Histogram(name, what, labels, registry=REGISTRY, buckets=bounds)


# batches ------------------------------------------------------------------------------------------------------

BATCH_SECONDS: Final = _histogram(
    "dispatch_batch_seconds", "From handing a batch to its agent until the agent has done with it.", _BATCH_S, "role"
)
BATCH_RECORDS: Final = _histogram("dispatch_batch_records", "Records of a batch.", _BATCH_RECORDS, "role")
EVENTS: Final = _counter("dispatch_events_total", "What the desk has decided, by type of event.", "type")
REPEATED: Final = _counter("dispatch_repeated_total", "Commands that had been decided before, and had no effect again.")
REFUSED: Final = _counter("dispatch_refused_total", "Inputs that became dead letters, by stable code.", "role", "code")
PUBLISHED: Final = _counter(
    "dispatch_records_published_total", "Records that the broker has; dead letters by their topic.", "topic"
)
LATE: Final = _histogram(
    "dispatch_deadline_late_seconds",
    "From the moment a deadline was due to the batch that decided it: the one that waited longest of those sent "
    "together. In domain time.",
    _LATE_S,
)

# triage -------------------------------------------------------------------------------------------------------

TRIAGE: Final = _counter(
    "dispatch_triage_verdicts_total",
    "Reports that intake has classified: decided, abstained, out_of_scope (the front desk is asked of both), letter.",
    "outcome",
)
CERTAINTY: Final = _counter(
    "dispatch_triage_certainty_total",
    "Certainties (0 to 1) of what was decided, added up: over those decided, the mean.",
)
EMERGENCIES: Final = _counter(
    "dispatch_triage_emergencies_total",
    "Reports that were emergencies, by who found it: lexicon, model, hint.",
    "source",
)
CORRECTIONS: Final = _counter(
    "dispatch_triage_corrections_total",
    "Trades that people have corrected (from, to); from none is the front desk's own triage.",
    "trade",
    "corrected",
)
URGENCY_CORRECTIONS: Final = _counter(
    "dispatch_triage_urgency_corrections_total", "Urgencies that people have corrected.", "urgency", "corrected"
)
SHADOW: Final = _counter(
    "dispatch_shadow_verdicts_total",
    "What the shadow would have said: same, or how it differs, on trade (other, abstained, decided), emergency (lost, "
    "gained) and urgency (lower, higher).",
    "on",
    "outcome",
)
SHADOW_SKIPPED: Final = _counter(
    "dispatch_shadow_skipped_total", "Reports that the shadow was not asked of, since it had enough to do."
)
SHADOW_FAILED: Final = _counter(
    "dispatch_shadow_failures_total", "What ended a shadow: it is off until the next start."
)
MODELS: Final = _gauge("dispatch_triage_model", "1: the model that decides; 0: the one in the shadow.", "version")

# trouble ------------------------------------------------------------------------------------------------------

FENCED: Final = _counter(
    "dispatch_lanes_fenced_total", "Lanes let go since somebody else has saved: a save was or would be refused.", "role"
)
WAITS: Final = _counter("dispatch_waits_total", "Calls that a server did not answer; they are made again.", "server")
WAIT_SECONDS: Final = _counter("dispatch_wait_seconds_total", "Time spent waiting before such calls.", "server")

# hooks --------------------------------------------------------------------------------------------------------

DELIVERIES: Final = _counter(
    "dispatch_deliveries_total", "By outcome: attempted, succeeded, failed, dropped.", "hook", "outcome"
)
BREAKERS: Final = _gauge(
    "dispatch_breakers", "Endpoints of hooks by the state of their breaker: closed, half-open, open.", "state"
)

# a larger model ------------------------------------------------------------------------------------------------

ADVICE: Final = _counter(
    "dispatch_advice_total",
    "Orders that triage could not place, by what came of asking a larger model: asked, and then answered, useless or "
    "failed; or not asked: over_budget, resting, old, placed, no_text, sure, unreadable.",
    "outcome",
)
ADVICE_SECONDS: Final = _histogram(
    "dispatch_advice_seconds", "From asking a larger model to its answer, or to giving up.", _BATCH_S
)
ADVICE_BREAKER: Final = _gauge(
    "dispatch_advice_breaker", "1 for the state of the larger model's breaker: closed, half-open, open.", "state"
)
ADVICE_AGREED: Final = _counter(
    "dispatch_advice_agreed_total", "Orders with a hint that the desk has placed or refused: did it agree?", "agreed"
)

# gauges, set when somebody looks ------------------------------------------------------------------------------

INFO: Final = _gauge("dispatch_info", "Always 1.", "version", "policy")
READY: Final = _gauge("dispatch_ready", "Whether /ready says yes.")
LANES: Final = _gauge("dispatch_lanes", "How many lanes there are.")
LANE_READY: Final = _gauge(
    "dispatch_lane_ready", "Of the lanes owned here: 1 when at work, 0 while being taken.", "role", "lane"
)
LAG: Final = _gauge("dispatch_lag_records", "Records not yet done with, of the lanes owned here.", "role", "lane")
OPEN_ORDERS: Final = _gauge(
    "dispatch_open_orders", "Open orders, by state and by time since the report (at most).", "state", "age"
)
WAITING: Final = _gauge("dispatch_waiting_orders", "Open orders that wait for a technician.")
OVERDUE: Final = _gauge(
    "dispatch_timer_overdue_seconds", "How long the earliest timer of a lane has been due, in domain time.", "lane"
)
DIVERGENCE: Final = _gauge(
    "dispatch_clock_divergence_seconds", "How far the wall clock has gone from the engine's since the start."
)


class _ByLabel(dict[str, Counter]):
    """The children of a counter with one label; looking one up in the counter itself costs ten times as much."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def __missing__(self, value: str) -> Counter:
        found = self[value] = self._counter.labels(value)
        return found


EVENTS_BY_TYPE: Final = _ByLabel(EVENTS)
PUBLISHED_BY_TOPIC: Final = _ByLabel(PUBLISHED)
_waits = {server: (WAITS.labels(server), WAIT_SECONDS.labels(server)) for server in ("broker", "store")}


def waited(server: str, seconds: float) -> None:
    """The broker or the store did not answer, and is asked again after so long."""
    times, spent = _waits[server]
    times.inc()
    spent.inc(seconds)


def delivered(hook: str, outcome: str, count: int = 1) -> None:
    """Deliveries through a hook have come to an outcome; ``attempted`` counts every sending."""
    DELIVERIES.labels(hook, outcome).inc(count)
