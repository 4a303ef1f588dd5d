"""The board's words in Chinese and English, and the names that a policy gives to trades and places."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatch.demo.day import ZONE
from dispatch.rules.policy import Policy
from dispatch.settings import Language

_MINUTE = timedelta(minutes=1)
_WEEKDAYS = {"zh": "一二三四五六日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}
_WORDS: Mapping[str, tuple[str, str]] = {
    # the board itself
    "title": ("校园的一天", "A day on campus"),
    "clocks": ("时限 · 最紧的在前", "Clocks · soonest due first"),
    "escalations_open": ("升级未了", "Open escalations"),
    "technicians": ("师傅", "Technicians"),
    "on_shift": ("在班", "on shift"),
    "busy": ("忙", "busy"),
    "news": ("最近", "Last events"),
    "left": ("剩余", "left"),
    "clock": ("时限", "clock"),
    "order": ("工单", "order"),
    "urgency": ("紧急度", "urgency"),
    "trade": ("工种", "trade"),
    "place": ("地点", "place"),
    "who": ("师傅", "who"),
    "free": ("待命", "free"),
    "nobody": ("无", "none"),
    "paused": ("暂停", "paused"),
    # counts
    "count_opened": ("开单", "opened"),
    "count_completed": ("完工", "completed"),
    "count_escalations": ("升级", "escalations"),
    "count_breached": ("超时", "late"),
    "count_dead_letters": ("死信", "dead letters"),
    "count_told": ("已通知", "told"),
    # states of orders and legs
    "open": ("待派", "open"),
    "offered": ("待接", "offered"),
    "assigned": ("已派", "assigned"),
    "accepted": ("已接", "accepted"),
    "en_route": ("路上", "en route"),
    "arrived": ("到场", "arrived"),
    "in_progress": ("在修", "at work"),
    "on_hold": ("挂起", "on hold"),
    "completed": ("待验收", "done"),
    "confirmed": ("已验收", "confirmed"),
    "closed": ("关闭", "closed"),
    "merged": ("合并", "merged"),
    "cancelled": ("取消", "cancelled"),
    "refused": ("拒单", "refused"),
    "awaiting_approval": ("待审批", "approval"),
    # urgencies
    "emergency": ("特急", "emergency"),
    "urgent": ("紧急", "urgent"),
    "normal": ("普通", "normal"),
    "low": ("不急", "low"),
    # clocks
    "triage": ("分诊", "triage"),
    "accept": ("接单", "accept"),
    "arrive": ("到场", "arrive"),
    "make_safe": ("排险", "make safe"),
    "resolve": ("修复", "resolve"),
    "confirm": ("验收", "confirm"),
    # what happened
    "news_opened": ("开单", "opened"),
    "news_merged": ("并入他单", "merged"),
    "news_cancelled": ("取消", "cancelled"),
    "news_refused": ("拒单", "refused"),
    "news_offered": ("询问", "offered to"),
    "news_declined": ("婉拒", "declined by"),
    "news_offer-expired": ("未答复", "not answered by"),
    "news_assigned": ("直接派给", "given to"),
    "news_accepted": ("接单", "accepted by"),
    "news_arrived": ("到场", "on site"),
    "news_withdrawn": ("撤回", "taken back from"),
    "news_no-access": ("未能入户", "no access"),
    "news_made-safe": ("已排险", "made safe by"),
    "news_held": ("挂起", "on hold"),
    "news_resumed": ("恢复", "goes on"),
    "news_completed": ("完工", "completed by"),
    "news_work-rejected": ("验收不合格", "sent back"),
    "news_confirmed": ("验收通过", "confirmed"),
    "news_closed": ("关闭", "closed"),
    "news_reopened": ("重新打开", "reopened"),
    "news_urged": ("催单", "urged"),
    "news_raised": ("升级给", "escalated to"),
    "news_breached": ("超时", "late"),
    # why
    "nobody_left_to_ask": ("无人可派", "nobody left"),
    "urging": ("催单", "urged"),
    "silence": ("无人应答", "silence"),
    "supervisor": ("主管", "supervisor"),
    "shift_leader": ("班长", "shift leader"),
    "head_of_logistics": ("后勤处长", "head of logistics"),
    "waiting_parts": ("等配件", "waiting for parts"),
    "waiting_access": ("等入户", "waiting for access"),
}


@dataclass(frozen=True, kw_only=True)
class Words:
    """One language. ``trades`` and ``areas``: names by id."""

    lang: Language
    trades: Mapping[str, str]
    areas: Mapping[str, str]

    def __call__(self, name: str) -> str:
        """The word for a name of the engine; the name itself, without underscores, when there is none."""
        pair = _WORDS.get(name)
        return pair[self.lang == "en"] if pair else name.replace("_", " ")

    def trade(self, trade: str | None) -> str:
        """A trade's name."""
        return self.trades.get(trade or "", trade or "–")

    def place(self, area_id: str | None, room: str | None = None) -> str:
        """An area's name, and the room."""
        return " ".join(filter(None, (self.areas.get(area_id or "", area_id), room))) or "–"

    def day(self, at: datetime) -> str:
        """A date, for people."""
        local = at.astimezone(ZONE)
        weekday = _WEEKDAYS[self.lang][local.weekday()]
        return f"{local.month}月{local.day}日 周{weekday}" if self.lang == "zh" else f"{weekday} {local.day} {local:%b}"


def hour(at: datetime) -> str:
    """``10:40``, where the campus is."""
    return f"{at.astimezone(ZONE):%H:%M}"


def span(left: timedelta) -> str:
    """``1:05`` hours and minutes that are left, ``-0:12`` when they are over."""
    minutes = abs(left) // _MINUTE
    hours, rest = divmod(minutes, 60)
    return f"{'-' if left < timedelta() else ''}{hours}:{rest:02}"


def words_of(policy: Policy, lang: Language) -> Words:
    """The words of a policy in one language."""
    trades = {name: getattr(trade.name, lang) for name, trade in policy.document.trades.items()}
    areas = {name: getattr(area.name, lang) for name, area in policy.areas.items()}
    return Words(lang=lang, trades=trades, areas=areas)
