"""The words of a message: what a template may say, and what its fields say of an event in each language. Pure.

Fields are plain names in braces; there is no expression, no attribute and no format in them, so that a template can
show what is known of an order and nothing else.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from string import Formatter
from typing import Any, Final
from zoneinfo import ZoneInfo

from dispatch.models.hooks import Locale, Words
from dispatch.models.policy_base import Label
from dispatch.rules.policy import Policy
from dispatch.rules.state import Data, Order, moment_of

NAME_MARK: Final = "\ue000"
"""Stands for the receiver's name until the message leaves: names are joined at the edge, and never recorded."""
_FIELDS: Final = (
    "display_no work_order_id urgency trade place room words technician accept_by arrive_by resolve_by promise "
    "expires state reason level cause clock owner time_left count drill name until next_at "
    "advice steps calls answer where_instead"
)
FIELDS: Final = frozenset(_FIELDS.split())
"""What a template may name."""
_MINUTE_S: Final = 60
_LABELS: Final[dict[str, Label]] = {
    name: Label(zh=zh, en=en)
    for name, zh, en in (
        ("emergency", "特急", "emergency"),
        ("urgent", "紧急", "urgent"),
        ("normal", "普通", "normal"),
        ("low", "不急", "low"),
        ("open", "待派工", "waiting for a technician"),
        ("offered", "待接单", "offered"),
        ("assigned", "已派工", "assigned"),
        ("accepted", "已接单", "accepted"),
        ("en_route", "已出发", "on the way"),
        ("in_progress", "维修中", "in progress"),
        ("on_hold", "暂停", "on hold"),
        ("completed", "已完工待验收", "done, to be confirmed"),
        ("confirmed", "已验收", "confirmed"),
        ("closed", "已关闭", "closed"),
        ("cancelled", "已取消", "cancelled"),
        ("triage", "分诊", "triage"),
        ("accept", "接单", "acceptance"),
        ("arrive", "到场", "arrival"),
        ("make_safe", "排险", "making safe"),
        ("resolve", "修复", "repair"),
        ("confirm", "验收", "confirmation"),
        ("breached", "承诺超时", "a broken promise"),
        ("warned", "即将超时", "a promise at risk"),
        ("silence", "无人应答", "silence"),
        ("person", "人工升级", "a person asked for it"),
        ("urging", "多次催单", "repeated urging"),
        ("no_report", "未回报", "no report"),
        ("unreachable", "无法通知", "could not be told"),
        ("nobody_left_to_ask", "无人可派", "nobody left to ask"),
        ("duplicate", "重复报修", "already reported"),
        ("incident", "同一故障多处报修", "many have reported the same"),
        ("left_incident", "已移出合并抢修", "taken out of the incident"),
    )
}
_UNKNOWN: Final = "-"


def fields_of(words: Words) -> set[str]:
    """The fields that a template's words name. ValueError when a brace is left open, or holds more than a name."""
    found: set[str] = set()
    for text in (words.title, words.text):
        for _literal, field, format_spec, conversion in Formatter().parse(text):
            if field is None:
                continue
            if format_spec or conversion or not field.isidentifier():
                msg = f"{{{field}}} is no plain name"
                raise ValueError(msg)
            found.add(field)
    return found


def render(words: Words, values: Mapping[str, str]) -> tuple[str, str]:
    """Title and text. A line all of whose fields are empty is left out; a single empty field is a dash."""
    lines = [_line(line, values) for line in words.text.strip().split("\n")]
    return _line(words.title, values) or "", "\n".join(line for line in lines if line is not None)


def _line(line: str, values: Mapping[str, str]) -> str | None:
    out: list[str] = []
    named = filled = 0
    for literal, field, _spec, _conversion in Formatter().parse(line):
        out.append(literal)
        if field is not None:
            value = values.get(field) or ""
            named += 1
            filled += bool(value)
            out.append(value or _UNKNOWN)
    return None if named and not filled else "".join(out).strip()


def values_of(kind: str, data: Data, order: Order | None, policy: Policy, locale: Locale) -> Data:
    """What each field says of an event; the order as it stands fills what the event does not say."""
    zone = ZoneInfo(policy.site.timezone)
    due = _dues(data, order)
    location = data.get("location") or (order.location if order else {})
    trade = (data.get("requirement") or {}).get("trade") or _trade(data, order)
    owner = data.get("owner") or {}
    time_left_s = data.get("time_left_s")
    said = data.get("text") if kind in _SAYS_THE_FAULT else None
    words: dict[str, Any] = {
        "display_no": data.get("display_no") or (order.display_no if order else None),
        "work_order_id": data.get("work_order_id"),
        "urgency": _label(data.get("urgency") or (order.urgency if order else None), policy, locale),
        "trade": _trade_name(trade, policy, locale),
        "place": _place(location, policy, locale),
        "room": location.get("room"),
        "words": said or (order.text if order else None),
        "technician": data.get("technician_id"),
        "promise": _moment(due.get("resolve"), zone, locale),
        "expires": _moment(data.get("expires_at"), zone, locale),
        "until": _moment(data.get("until") or data.get("expected_resume_at"), zone, locale),
        "state": _label(data.get("state"), policy, locale),
        "reason": _label(data.get("reason"), policy, locale),
        "level": data.get("level"),
        "cause": _label(data.get("cause"), policy, locale),
        "clock": _label(data.get("clock") or _clock(data), policy, locale),
        "owner": owner.get("id"),
        "time_left": None if time_left_s is None else _span(int(time_left_s), locale),
        "count": data.get("count"),
        "next_at": _moment((data.get("next_rung") or {}).get("at"), zone, locale),
        "drill": {"zh": "演练", "en": "drill"}[locale] if data.get("drill") or (order and order.drill) else None,
        "answer": data.get("answer"),
        "where_instead": data.get("where_instead"),
        "name": NAME_MARK,
        **_plan(data.get("plan"), locale),
    }
    for name in ("accept", "arrive", "resolve"):
        words[f"{name}_by"] = _moment(due.get(name), zone, locale)
    return {name: str(value) for name, value in words.items() if value not in (None, "")}


_SAYS_THE_FAULT: Final = frozenset({"work-order.opened", "work-order.offered", "work-order.assigned"})


def _plan(plan: Data | None, locale: Locale) -> Data:
    """What an emergency plan says; steps are numbered, calls are a name and a number each."""
    if not plan:
        return {}
    gap, colon = {"zh": ("；", "："), "en": ("; ", ": ")}[locale]
    return {
        "advice": plan["advice"][locale],
        "steps": gap.join(f"{number}. {step[locale]}" for number, step in enumerate(plan["steps"], 1)),
        "calls": gap.join(f"{call['name'][locale]}{colon}{call['number']}" for call in plan["calls"]),
    }


def _dues(data: Data, order: Order | None) -> dict[str, str | datetime]:
    found: dict[str, str | datetime] = {}
    if order is not None:
        found.update({name: clock.due_at for name, clock in order.clocks.items() if clock.is_live})
    found.update({one["name"]: one["due_at"] for one in data.get("targets") or () if one.get("due_at")})
    found.update(data.get("due") or {})
    if promised := data.get("promised_at"):
        found.setdefault("resolve", promised)
    return found


def _trade(data: Data, order: Order | None) -> str | None:
    needs = data.get("requirements") or ()
    return needs[0].get("trade") if needs else (order.trade if order else None)


def _trade_name(trade: str | None, policy: Policy, locale: Locale) -> str | None:
    known = policy.trades.get(trade or "")
    return _in(known.name, locale) if known else trade


def _place(location: Mapping[str, Any], policy: Policy, locale: Locale) -> str | None:
    names = [policy.areas[one].name for one in location.get("area_path") or () if one in policy.areas]
    found = " ".join(_in(name, locale) for name in names[-2:]) or location.get("building")
    return str(found) if found else None


def _clock(data: Data) -> str | None:
    clocks = data.get("clocks") or ()
    return clocks[0].get("name") if clocks and isinstance(clocks[0], Mapping) else None


def _label(name: str | None, policy: Policy, locale: Locale) -> str | None:
    if name is None:
        return None
    reasons = policy.document.reasons
    hold = reasons.hold.get(name)
    label = hold.name if hold else reasons.decline.get(name) or reasons.cancel.get(name) or _LABELS.get(name)
    return _in(label, locale) if label else name


def _in(label: Label, locale: Locale) -> str:
    return label.zh if locale == "zh" else label.en


def _moment(value: str | datetime | None, zone: tzinfo, locale: Locale) -> str | None:
    if not value:
        return None
    moment = (moment_of(value) if isinstance(value, str) else value).astimezone(zone)
    if locale == "zh":
        return f"{moment.month}月{moment.day}日 {moment:%H:%M}"
    return f"{moment.day} {moment:%b %H:%M}"


def _span(seconds: int, locale: Locale) -> str:
    minutes = abs(seconds) // _MINUTE_S
    hours, minutes = divmod(minutes, 60)
    if locale == "zh":
        told = f"{hours}小时{minutes}分钟" if hours else f"{minutes}分钟"
        return f"已超时{told}" if seconds < 0 else f"剩余{told}"
    told = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return f"{told} over" if seconds < 0 else f"{told} left"


def quiet_until(start_s: int, end_s: int, zone: tzinfo, now: datetime) -> datetime | None:
    """When the quiet hours that ``now`` lies in end; None when it lies in none. Both are seconds after midnight."""
    local = now.astimezone(zone)
    since_s = local.hour * 3600 + local.minute * 60 + local.second
    inside = start_s <= since_s < end_s if start_s < end_s else (since_s >= start_s or since_s < end_s)
    if not inside or start_s == end_s:
        return None
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    days = 1 if start_s > end_s and since_s >= start_s else 0
    return midnight + timedelta(days=days, seconds=end_s)
