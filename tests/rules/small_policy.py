"""A small policy for tests of rules: every number is round, so that a story can be checked in one's head."""

from typing import Any

from dispatch.models.policy import PolicyDocument
from dispatch.rules.policy import Policy, compile_policy

ALWAYS = {"timezone": "UTC", "always": True}
OFFICE = {
    "timezone": "UTC",
    "week": {day: ["08:00-12:00", "14:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
}


def label(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def area(area_id: str, kind: str, *areas: dict[str, Any]) -> dict[str, Any]:
    return {"id": area_id, "kind": kind, "name": label(area_id), "areas": list(areas)}


DOCUMENT: dict[str, Any] = {
    "site": {"tenant": "acme", "timezone": "UTC", "default_territory": "north", "reopen_within": "15d"},
    "territories": [
        {
            "id": name,
            "name": label(name),
            "areas": [area(name, "campus", area(f"{name}.b1", "building"), area(f"{name}.b2", "building"))],
        }
        for name in ("north", "south")
    ],
    "trades": {
        "plumbing": {"name": label("plumbing")},
        "electrical": {"name": label("electrical"), "min_level": 2, "certificates": ["licence"]},
        "moving": {"name": label("moving"), "count": 3},
        "cleaning": {"name": label("cleaning")},
    },
    "calendars": {"always": ALWAYS, "office": OFFICE},
    "sla": [
        {
            "id": "emergency",
            "when": {"urgency": ["emergency"]},
            "calendar": "always",
            "ladder": "loud",
            "warn_at_permille": [500],
            "targets": {
                "triage": {"within": "5m"},
                "accept": {"within": "5m"},
                "arrive": {"within": "20m"},
                "make_safe": {"within": "1h"},
                "resolve": {"within": "4h"},
                "confirm": {"within": "1d", "ladder": "calm"},
            },
        },
        {
            "id": "low",
            "when": {"urgency": ["low"]},
            "calendar": "office",
            "ladder": "calm",
            "targets": {
                "triage": {"within": "4h"},
                "accept": {"within": "8h"},
                "resolve": {"within": "16h"},
                "confirm": {"within": "3d", "calendar": "always"},
            },
        },
        {
            "id": "others",
            "calendar": "always",
            "ladder": "calm",
            "warn_at_permille": [500, 800],
            "targets": {
                "triage": {"within": "30m"},
                "accept": {"within": "20m"},
                "arrive": {"within": "2h"},
                "resolve": {"within": "10h"},
                "confirm": {"within": "3d"},
            },
        },
    ],
    "ladders": {
        "loud": {"rungs": [{"level": 1, "after": 0, "to": ["supervisor"]}], "then": "top"},
        "top": {"rungs": [{"level": 4, "after": "15m", "to": ["rector"]}]},
        "calm": {
            "rungs": [
                {"level": 1, "after": 0, "to": ["supervisor"]},
                {"level": 2, "after": "30m", "to": ["shift_leader"]},
                {"level": 3, "after": "2h", "to": ["head"]},
            ],
        },
    },
    "matching": {
        "modes": [
            {"when": {"urgency": ["emergency"]}, "mode": "direct"},
            {"when": {"trade": ["moving"]}, "mode": "direct"},
            {"mode": "offer", "expires": "5m"},
        ],
    },
    "duplicates": {"window": "2h", "by_trade": {"cleaning": "0s"}},
    "reasons": {
        "hold": {
            "parts": {"name": label("parts"), "pauses": ["resolve"], "releases_assignee": True},
            "reporter": {"name": label("reporter"), "pauses": ["arrive", "resolve"]},
            "waiting_access": {"name": label("access"), "pauses": ["resolve"]},
            "unsafe": {"name": label("unsafe")},
        },
    },
    "lexicon": {
        "trades": {"plumbing": {"zh": ["漏水"], "en": ["leak"]}},
        "tasks": {"height": {"certificates": ["climber"]}},
    },
}


def small_policy(**parts: Any) -> Policy:
    """The small policy, whole parts of its document replaced."""
    return compile_policy(PolicyDocument.model_validate({**DOCUMENT, **parts}))


def direct_policy() -> Policy:
    """As the small policy, but every order is assigned, never offered."""
    return small_policy(matching={"modes": [{"mode": "direct"}]})
