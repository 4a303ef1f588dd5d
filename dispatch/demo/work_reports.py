"""How long journeys and repairs take, and what a technician writes when the work is done."""

import random
from datetime import UTC, datetime

from dispatch.demo.day import Data, Story, chance

_WORK_MIN = {
    "plumbing": (12, 35), "electrical": (8, 30), "hvac": (20, 50), "carpentry": (12, 35), "locksmith": (8, 20),
    "masonry": (35, 75), "appliance": (12, 35), "network": (8, 25), "elevator": (25, 50), "fire_safety": (15, 40),
    "gas": (25, 50), "grounds": (15, 35), "cleaning": (10, 20), "pest_control": (15, 35), "security": (8, 25),
    "general": (8, 25),
}  # fmt: skip
_PARTS = {
    "plumbing": ("faucet-cartridge", "2.0", 3600), "electrical": ("led-tube-t8", "1.0", 1850),
    "hvac": ("capacitor-45uf", "1.0", 4200), "carpentry": ("hinge-110", "2.0", 900),
    "locksmith": ("lock-cylinder", "1.0", 5500), "appliance": ("heating-element", "1.0", 8000),
    "network": ("rj45-socket", "1.0", 600), "elevator": ("door-roller", "2.0", 7600),
}  # fmt: skip
_METRES_A_MINUTE = 240


def travel_min(dice: random.Random, offer: Data) -> float:
    """Minutes from where one is to the place; shorter when life is at stake."""
    return dice.uniform(2, 5) if offer.get("urgency") == "emergency" else dice.uniform(3, 10)


def work_min(dice: random.Random, offer: Data) -> float:
    """Minutes of work, as the trade has them."""
    low, high = _WORK_MIN.get((offer.get("requirement") or {}).get("trade", ""), (10, 30))
    return dice.uniform(low, high)


def completion(story: Story, offer: Data, technician: str, started_at: datetime, done_at: datetime) -> Data:
    """What the action *complete* says, whole."""
    dice = chance(story.report.request_id, "done", story.repairs)
    trade = (offer.get("requirement") or {}).get("trade", "general")
    disposition = dice.choices(("fixed", "temporary_fix", "no_fault_found"), (94, 3, 3))[0]
    travel_s = int(travel_min(dice, offer) * 60)
    used = _PARTS.get(trade) if disposition == "fixed" and dice.random() < 0.6 else None  # noqa: PLR2004
    order = story.order_id
    return {
        "assignment_id": offer["assignment_id"],
        "visit_no": max(1, story.visits),
        "disposition": disposition,
        "fault_code": f"{trade}.worn",
        "cause_code": dice.choice(("wear", "misuse", "installation", "unknown")),
        "remedy_code": "replaced" if used else "adjusted",
        "performed_by": [technician],
        "labour": [
            {
                "technician_id": technician, "start": _text(started_at), "end": _text(done_at),
                "work_s": max(0, int((done_at - started_at).total_seconds())), "travel_s": travel_s,
                "distance_m": float(travel_s // 60 * _METRES_A_MINUTE), "share_permille": 1000,
            }
        ],
        "materials": [_material(*used)] if used else [],
        "checklist": [{"item_id": "works_again", "result": "pass" if disposition == "fixed" else "fail"}],
        "photos_before": [f"demo://photos/{order}/before-{story.repairs}.jpg"],
        "photos_after": [f"demo://photos/{order}/after-{story.repairs}.jpg"],
        "customer_present": dice.random() < 0.7,  # noqa: PLR2004
        "billing": {"scope": "free"},
    }  # fmt: skip


def _material(sku: str, count: str, price: int) -> Data:
    return {
        "sku": sku, "source": "van", "issued": count, "used": count, "returned": "0", "unit": "piece",
        "unit_cost": {"amount_minor": price, "currency": "CNY"},
    }  # fmt: skip


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
