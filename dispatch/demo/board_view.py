"""The board as it is drawn: a function of what it knows, the time of the day, the language, and the room there is."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dispatch.demo.board import Bell, Board, Card, News, Promise, Worker
from dispatch.demo.board_words import Words, hour, span

WIDE = 110
HEADER_ROWS = 4
TRADE_COLUMNS = 12
WHO_COLUMNS = 4
SOON = timedelta(minutes=15)
_UNDER_WAY = ("open", "offered", "assigned", "accepted", "en_route", "in_progress")
_ASIDE = ("on_hold", "completed", "confirmed", "closed", "merged", "cancelled", "refused")
_COUNTS = ("opened", "completed", "told", "escalations", "breached", "dead_letters")
_STYLES = {
    "emergency": "bold red", "urgent": "yellow", "low": "dim",
    "open": "yellow", "offered": "yellow", "assigned": "cyan", "accepted": "cyan", "en_route": "blue",
    "arrived": "green", "in_progress": "green", "on_hold": "magenta", "free": "dim",
    "closed": "dim", "merged": "dim", "cancelled": "dim", "refused": "dim",
    "escalations": "magenta", "breached": "red", "dead_letters": "red",
}  # fmt: skip
_NEWS_STYLES = {"raised": "magenta", "breached": "red", "completed": "green", "opened": "bold", "work-rejected": "red"}
_FURTHEST = ("in_progress", "arrived", "en_route", "accepted", "assigned", "offered")


class Rows(NamedTuple):
    """How many rows each part has; ``people`` are rows of the technicians' part."""

    clocks: int
    bells: int
    people: int
    news: int


def view(board: Board, now: datetime, words: Words, width: int, height: int) -> RenderableType:
    """The board at ``now`` (domain time), no wider and no higher than there is room for; from 80 columns on."""
    rows = rows_for(width, height)
    header, news = _header(board, now, words), _news(board, words, rows.news)
    clocks, bells = _clocks(board, now, words, rows.clocks), _bells(board, words, rows.bells)
    if width < WIDE:
        return Group(header, clocks, bells, _people_short(board, words, rows.people), news)
    halves = Table.grid(expand=True)
    halves.add_column(ratio=3)
    halves.add_column(ratio=2)
    halves.add_row(Group(clocks, bells), _people(board, words, rows.people))
    return Group(header, halves, news)


def rows_for(width: int, height: int) -> Rows:
    """What fits into the height, at least a little of each part."""
    if width < WIDE:
        free = max(8, height - HEADER_ROWS - 9)
        clocks, bells, people = round(free * 0.36), round(free * 0.14), round(free * 0.32)
        return Rows(clocks, bells, people, free - clocks - bells - people)
    free = max(14, height - HEADER_ROWS - 2)
    news = round(free * 0.2)
    beside = free - news
    bells = round(beside * 0.25)
    return Rows(clocks=beside - bells - 5, bells=bells, people=beside - 2, news=news)


def _header(board: Board, now: datetime, words: Words) -> RenderableType:
    top = Table.grid(expand=True)
    top.add_column(ratio=1)
    top.add_column(justify="right")
    top.add_row(Text(f" {words('title')}", style="bold"), Text(f"{words.day(now)}  {hour(now)} ", style="bold cyan"))
    states = board.states()
    counts = [(words(f"count_{name}"), board.counts[name], name) for name in _COUNTS]
    return Group(
        top,
        _pairs([(words(name), states[name], name) for name in _UNDER_WAY]),
        _pairs([(words(name), states[name], name) for name in _ASIDE]),
        _pairs(counts),
    )


def _pairs(items: Iterable[tuple[str, int, str]]) -> Text:
    line = Text(" ", no_wrap=True, overflow="ellipsis")
    for word, count, name in items:
        line.append(f"{word} ", style="dim")
        line.append(f"{count}  ", style=_STYLES.get(name, "bold") if count else "dim")
    return line


def _panel(title: str, table: Table, rows: int) -> Panel:
    head = 1 if table.show_header else 0
    return Panel(table, title=title, title_align="left", box=box.ROUNDED, border_style="dim", height=rows + head + 2)


def _table(*columns: str, header: bool = True) -> Table:
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), show_header=header, header_style="dim")
    for name in columns:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    return table


# clocks ---------------------------------------------------------------------------------------------------------


def soonest(board: Board) -> list[tuple[Card, Promise]]:
    """The clock of each order that runs out first, soonest due first; paused ones stand behind all that run."""
    first = [
        (card, min(card.promises.values(), key=lambda one: (one.paused, one.due_at)))
        for card in board.orders.values()
        if card.promises
    ]
    return sorted(first, key=lambda pair: (pair[1].paused, pair[1].due_at, pair[0].number))


def _clocks(board: Board, now: datetime, words: Words, rows: int) -> Panel:
    table = _table(*map(words, ("left", "clock", "order", "urgency", "trade", "place", "who")))
    first, *_others, trade, place, who = table.columns
    first.justify, place.ratio, who.min_width = "right", 1, WHO_COLUMNS
    trade.max_width = TRADE_COLUMNS
    for card, promise in soonest(board)[:rows]:
        left = promise.due_at - now
        table.add_row(
            Text(words("paused") if promise.paused else span(left), style=_urgent_style(promise, left)),
            words(promise.name),
            card.number,
            Text(words(card.urgency), style=_STYLES.get(card.urgency, "")),
            words.trade(card.trade),
            words.place(card.area_id, card.room),
            card.holder or "–",
        )
    return _panel(words("clocks"), table, rows)


def _urgent_style(promise: Promise, left: timedelta) -> str:
    if promise.paused:
        return "dim"
    if promise.breached or left < timedelta():
        return "bold red"
    return "yellow" if left < SOON else "green"


# escalations ----------------------------------------------------------------------------------------------------


def _bells(board: Board, words: Words, rows: int) -> Panel:
    table = _table("", "", "", "", "", header=False)
    table.columns[3].ratio = 1
    ringing = sorted(board.bells.values(), key=lambda bell: (bell.answered, -bell.level, -bell.at.timestamp()))
    for bell in ringing[:rows]:
        table.add_row(
            Text(f"L{bell.level}", style="dim" if bell.answered else "bold magenta"),
            board.orders[bell.order_id].number,
            words(bell.cause),
            _to(bell, words),
            hour(bell.at),
        )
    return _panel(f"{words('escalations_open')}: {len(ringing)}", table, rows)


def _to(bell: Bell, words: Words) -> Text:
    told = Text("→ " + ", ".join(map(words, bell.to)))
    if bell.answered:
        told.append(" ✓", style="green")
    return told


# technicians ----------------------------------------------------------------------------------------------------


def at_hand(worker: Worker) -> tuple[str, str] | None:
    """What a technician is at: (order, state of the leg), the furthest of all that they hold; None when free."""
    return min(worker.legs.values(), key=lambda leg: _FURTHEST.index(leg[1]), default=None)


def _present(board: Board) -> list[Worker]:
    """Those on shift, or still at something, in the order of their ids."""
    present = [worker for worker in board.workers.values() if worker.on_shift or worker.legs]
    return sorted(present, key=lambda worker: (not worker.legs, worker.id))


def _people_title(board: Board, words: Words) -> str:
    present = _present(board)
    on_shift, busy = sum(one.on_shift for one in present), sum(bool(one.legs) for one in present)
    return f"{words('technicians')}: {words('on_shift')} {on_shift}, {words('busy')} {busy}"


def _doing(board: Board, worker: Worker, words: Words) -> tuple[Text, str, str]:
    """State, order and place."""
    leg = at_hand(worker)
    if leg is None:
        return Text(words("free"), style="dim"), "", words.place(worker.area_id)
    card, state = board.orders[leg[0]], leg[1]
    more = f" +{len(worker.legs) - 1}" if len(worker.legs) > 1 else ""
    return Text(words(state), style=_STYLES.get(state, "")), card.number + more, words.place(card.area_id)


def _people(board: Board, words: Words, rows: int) -> Panel:
    table = _table("", "", "", "", header=False)
    table.columns[3].ratio = 1
    for worker in _present(board)[:rows]:
        table.add_row(Text(worker.id, style="bold"), *_doing(board, worker, words))
    return _panel(_people_title(board, words), table, rows)


def _people_short(board: Board, words: Words, rows: int) -> Panel:
    """Two beside each other, without places of those who are free."""
    table = _table(*[""] * 6, header=False)
    table.columns[2].ratio = table.columns[5].ratio = 1
    present = _present(board)[: 2 * rows]
    half = (len(present) + 1) // 2
    for number in range(half):
        cells: list[RenderableType] = []
        for worker in present[number::half]:
            doing, order, place = _doing(board, worker, words)
            cells += [Text(worker.id, style="bold"), doing, order or Text(place, style="dim")]
        table.add_row(*cells)
    return _panel(_people_title(board, words), table, rows)


# news -----------------------------------------------------------------------------------------------------------


def _news(board: Board, words: Words, rows: int) -> Panel:
    table = _table("", "", "", "", header=False)
    table.columns[2].ratio = 2
    table.columns[3].ratio = 3
    for news in _last(board.news, rows):
        card = board.orders[news.order_id]
        told = Text(words(f"news_{news.kind}"), style=_NEWS_STYLES.get(news.kind, ""))
        who = [words(one) for one in (news.who or "").split(", ") if one]
        told.append("".join(f" {one}" for one in who) + (f" · {words(news.what)}" if news.what else ""), style="dim")
        about = Text(f"{words.trade(card.trade)} · {words.place(card.area_id, card.room)}", style="dim")
        table.add_row(Text(hour(news.at), style="dim"), card.number, told, about)
    return _panel(words("news"), table, rows)


def _last(news: Sequence[News] | Iterable[News], rows: int) -> list[News]:
    """The newest first."""
    return list(news)[::-1][:rows]
