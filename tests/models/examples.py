"""Data of the main events, as JSON values; each is valid, and tests change them."""

AT = "2026-03-02T08:10:00+08:00"
LATER = "2026-03-02T09:10:00+08:00"

REQUEST = {
    "request_id": "wx-17",
    "channel": "wechat",
    "reported_at": AT,
    "reporter": {"id": "u-102938", "name": "王小明", "phone": "13800000000", "affiliation": "student"},
    "text": "三楼卫生间水管爆裂，请尽快派人",
    "items": [{"text": "水管", "trade": "plumbing", "quantity": {"value": "2.5", "unit": "m"}}],
    "urgency_hint": "urgent",
    "location": {"territory": "north", "building": "B12", "room": "305", "lat": 30.5, "lon": 114},
    "access": {"windows": [{"start": AT, "end": LATER}], "enter_if_absent": True},
    "attachments": [{"uri": "https://files.example/1.jpg", "media_type": "image/jpeg"}],
    "impact": "floor",
    "due_at": None,
}

ACTION = {
    "work_order_id": "wo-1",
    "actor": {"id": "t-7", "role": "technician", "org_id": "in-house"},
    "performed_at": AT,
}

COMPLETE = ACTION | {
    "after_the_fact": {"reason": "no_network"},
    "assignment_id": "a-1",
    "visit_no": 1,
    "disposition": "fixed",
    "performed_by": ["t-7"],
    "labour": [{"technician_id": "t-7", "start": AT, "end": LATER, "work_s": 3000, "share_permille": 1000}],
    "materials": [
        {"sku": "pipe-20", "source": "van", "issued": "3", "used": "2.5", "returned": "0.5", "unit": "m"}
        | {"unit_cost": {"amount_minor": 1250, "currency": "CNY"}}
    ],
    "photos_after": ["https://files.example/2.jpg", {"uri": "https://files.example/3.jpg", "taken_at": AT}],
    "downtime": {"start": AT, "end": LATER},
    "followup_required": {"reason": "painting", "windows": [{"start": AT, "end": LATER}]},
    "billing": {"scope": "free", "amount": {"amount_minor": 0, "currency": "CNY"}},
}

TECHNICIAN = {
    "id": "t-7",
    "version": 3,
    "org_id": "in-house",
    "home_territory": "north",
    "serves": [{"area": "campus/east", "rank": 1, "wait_s": 0}],
    "skills": [{"trade": "plumbing", "level": 4, "valid_to": "2027-01-01T00:00:00Z"}],
    "certificates": [{"type": "low_voltage", "expires": "2027-01-01T00:00:00Z"}],
    "capacity": {"open": 3, "minutes_day": 480, "by_kind": {"repair": 3}},
    "speed_m_s": 1.4,
    "hooks": ["wechat"],
}

LANE = {
    "territory": "north",
    "tenant": "uni",
    "batch_id": "b-1",
    "positions": {"dispatch.commands": {"incarnation": "A9koPruPTOKRotj2eMPuOA", "partition": 0, "offset": 41}},
    "now": AT,
    "policy_version": "p-1",
    "engine_version": "1.0.0",
    "events": 7,
    "edges": {"south": 12},
    "abandoned": {"from": 8, "to": 9},
}

CLOCK = {
    "work_order_id": "wo-1",
    "cycle": 1,
    "clocks": [
        {"name": "accept", "target_s": 900, "calendar_id": "", "due_at": LATER, "verdict": "met"},
        {"name": "resolve", "warn_at": [AT], "timer_version": 2},
    ],
}

EXAMPLES = {
    "dispatch.request.submitted.v1": REQUEST,
    "dispatch.action.accept.v1": ACTION,
    "dispatch.action.complete.v1": COMPLETE,
    "dispatch.technician.updated.v1": TECHNICIAN,
    "dispatch.lane.decided.v1": LANE,
}
