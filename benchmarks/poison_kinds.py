"""Poison of many kinds: each is one input that must be refused, by intake or by the desk, and hurt nobody."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.campus import SOURCE
from dispatch.topics import ACTIONS, REQUESTS

OVERSIZE = 80_000
Body = dict[str, Any]
Make = Callable[[str, dict[str, str]], bytes]


def _now(ahead: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + ahead).strftime("%Y-%m-%dT%H:%M:%SZ")


def _body(kind: str, event_id: str, data: Body, **more: Any) -> Body:
    head = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": f"dispatch.{kind}.v1", "time": _now()}
    return {**head, **more, "data": data}


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _request(event_id: str, more: Body | None = None, **head: Any) -> bytes:
    data = {"channel": "web", "reporter": {"id": "u1"}, "text": "水龙头漏水", "location": {"territory": "t00"}}
    return _json(_body("request.submitted", event_id, {**data, **(more or {})}, **head))


def _action(name: str, event_id: str, order: str, role: str, more: Body | None = None, **head: Any) -> bytes:
    data = {"work_order_id": order, "actor": {"id": "t00-w00", "role": role}, **(more or {})}
    return _json(_body(f"action.{name}", event_id, data, **head))


BAD_REQUESTS: tuple[Make, ...] = (
    lambda _id, _known: b"{this is not JSON",
    lambda _id, _known: b"\xff\xfe not UTF-8",
    lambda _id, _known: b'["a list", "and no object"]',
    lambda _id, _known: b'{"no": "CloudEvent"}',
    lambda _id, _known: b"",
    lambda _id, _known: _request(""),
    lambda event_id, _known: _request(event_id, type="dispatch.request.unheard-of.v1"),
    lambda event_id, _known: _request(event_id, time="2026-01-01T08:00:00"),
    lambda event_id, _known: _request(event_id, time=_now(timedelta(days=2))),
    lambda event_id, _known: _request(event_id, {"reported_at": "2026-01-01T08:00:00"}),
    lambda event_id, _known: _request(event_id, {"text": "x" * OVERSIZE}),
    lambda event_id, _known: _request(event_id, {"text": "字" * 5000}),
    lambda event_id, _known: _request(event_id, {"text": " "}),
    lambda event_id, _known: _request(event_id, {"reporter": None}),
    lambda event_id, _known: _request(event_id, {"location": {"territory": "nowhere"}}),
    lambda event_id, _known: _request(event_id, {"location": {"lat": 123.0, "lon": 0.0}}),
    lambda event_id, _known: _request(event_id, tenantid="somebody-else"),
    lambda event_id, _known: _request(event_id, data_base64="!!!"),
)

BAD_ACTIONS: tuple[Make, ...] = (
    lambda _id, _known: b"{",
    lambda event_id, known: _action("dance", event_id, known["order"], "technician"),
    lambda event_id, known: _action("complete", event_id, known["order"], "technician"),
    lambda event_id, known: _action("confirm", event_id, known["order"], "storekeeper"),
    lambda event_id, known: _action("refuse", event_id, known["order"], "technician", {"reason": "no"}),
    lambda event_id, known: _action("relocate", event_id, known["order"], "dispatcher"),
    lambda event_id, _known: _action("accept", event_id, "wo" + "0" * 20, "technician"),
    lambda event_id, known: _action("accept", event_id, known["order"], "technician", {"performed_at": "today"}),
    lambda event_id, known: _action("accept", event_id, known["order"], "technician", time=_now(timedelta(hours=3))),
    lambda event_id, _known: _json(_body("action.accept", event_id, {"actor": {"id": "x", "role": "technician"}})),
    lambda event_id, known: _action("hold", event_id, known["order"], "dispatcher", {"reason": "waiting_parts"}),
    lambda event_id, known: _action("return_order", event_id, known["order"], "technician", {"reason": "busy"}),
    lambda event_id, known: _action("transfer", event_id, known["order"], "dispatcher", {"to": "t00-w01"}),
    lambda event_id, _known: _json(_body("technician.updated", event_id, {"id": "x", "version": 1})),
    lambda event_id, _known: _json(_body("technician.updated", event_id, {
        "id": "x", "version": 1, "org_id": "a", "home_territory": "nowhere"})),
    lambda event_id, _known: _json(_body("shift.started", event_id, {
        "technician_id": "nobody", "start": _now(), "end": _now(timedelta(hours=8))})),
)  # fmt: skip


def poison(run: str, number: int, known: dict[str, str]) -> tuple[str, bytes]:
    """One bad input and its topic: requests and actions in turn, each kind in turn.

    ``known`` names an ``order`` that is completed, so that some is refused for its state, by the desk.
    """
    topic, kinds = ((REQUESTS, BAD_REQUESTS), (ACTIONS, BAD_ACTIONS))[number % 2]
    return topic, kinds[number // 2 % len(kinds)](f"{run}-{number}", known)
