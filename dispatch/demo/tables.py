"""The summary as tables, in Chinese and English."""

from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.table import Table

from dispatch.demo.day import Report
from dispatch.demo.stage import Heard
from dispatch.demo.summary import JUDGED, Share, Summary, summarise

_CLOCKS = {
    "triage": "分类 triage", "accept": "接单 accept", "arrive": "到场 arrive", "make_safe": "排险 make safe",
    "resolve": "修复 resolve",
}  # fmt: skip
_LEVELS = (1, 2, 3, 4)


def print_summary(
    console: Console, completions: Sequence[Heard], escalations: Sequence[Heard], reports: Sequence[Report]
) -> None:
    """Everything that the two topics tell, and how well the classifier did on the corpus."""
    territories = sorted({event.territory for event in completions})
    columns = [summarise(completions, escalations), *(summarise(completions, escalations, one) for one in territories)]
    console.print(_outcomes(columns))
    console.print(_escalations(columns[0]))
    quiet = f"预警 warnings {columns[0].warned}, 升级已响应 escalations acknowledged {columns[0].acknowledged}"
    console.print(quiet, soft_wrap=True, highlight=False)
    for line in agreement(completions, reports):
        console.print(line, soft_wrap=True, highlight=False)


def _outcomes(columns: Sequence[Summary]) -> Table:
    table = Table(title="一天的结果 the day, from dispatch.completions and dispatch.escalations", title_justify="left")
    table.add_column("指标 measure", no_wrap=True)
    for one in columns:
        table.add_column(one.territory or "全部 all", justify="right", no_wrap=True)
    for name in JUDGED:
        table.add_row(f"按时 on time: {_CLOCKS[name]}", *(str(one.on_time[name]) for one in columns))
    rows: dict[str, Callable[[Summary], object]] = {
        "开单 orders opened": lambda one: one.opened,
        "合并 merged duplicates": lambda one: one.ends["merged"],
        "取消 cancelled": lambda one: one.ends["cancelled"],
        "拒单 refused": lambda one: one.ends["refused"],
        "完工 completed": lambda one: one.completed,
        "关闭 closed": lambda one: one.ends["closed"],
        "待验收 done, not yet accepted": lambda one: one.ends["awaiting"],
        "未完工 not yet done": lambda one: one.ends["open"],
        "验收 accepted by a person / by silence": lambda one: (
            f"{one.acceptances['explicit'] + one.acceptances['inspector']} / {one.acceptances['auto']}"
        ),
        "一次修复 fixed at the first visit": lambda one: one.first_time_fix,
        "验收不合格 work rejected": lambda one: one.rejections,
        "返修 reopened": lambda one: one.reopens,
        "迟到事实更正 verdicts corrected": lambda one: one.corrected,
        "评价 mean rating, of 5": lambda one: one.rating,
    }
    for name, value in rows.items():
        table.add_row(name, *(str(value(one)) for one in columns))
    return table


def _escalations(summary: Summary) -> Table:
    table = Table(title="升级 escalations by cause and level", title_justify="left")
    table.add_column("起因 cause", no_wrap=True, min_width=40)
    for level in _LEVELS:
        table.add_column(f"L{level}", justify="right")
    for cause in sorted({cause for cause, _level in summary.escalations}):
        table.add_row(cause, *(str(summary.escalations[cause, level] or "") for level in _LEVELS))
    return table


def agreement(completions: Iterable[Heard], reports: Sequence[Report]) -> list[str]:
    """How often the classifier says what the day's labels say, and how well duplicates were found.

    Where two dispatchers might give different urgencies, both count as right.
    """
    opened = {event.data["request_id"]: event for event in completions if event.type == "work-order.opened"}
    merged = {event.subject for event in completions if event.type == "work-order.merged"}
    trade, urgency = Share(), Share()
    found, meant = set[str](), {report.request_id for report in reports if report.duplicate_of}
    for report in reports:
        event = opened.get(report.request_id)
        if event is None:
            continue
        needs = event.data.get("requirements") or [{}]
        trade.of += 1
        trade.good += needs[0].get("trade", "") == report.expect["trade"]
        urgency.of += 1
        urgency.good += event.data.get("urgency") in {report.expect["urgency"], report.expect.get("urgency_also")}
        if event.subject in merged:
            found.add(report.request_id)
    beside = sorted(found - meant)
    missed = " ".join(sorted(meant - found))
    return [
        f"分类一致 classifier agrees with the labels: trade {trade}, urgency {urgency}",
        f"重复识别 duplicates: {len(found & meant)} of {len(meant)} found (not: {missed or '–'})",
        f"此外合并 merged beside them: {len(beside)} {' '.join(beside)}",
    ]
