"""The picture of the demo's board: a morning that was recorded, folded into the board, and drawn as SVG.

    python docs/pictures/board.py                  # docs/board.svg and docs/board.zh.svg, anew
    python docs/pictures/board.py --record FOLDER  # of another morning: the folder of a demo's run that is over

The recording holds what the board reads of each event and nothing else: no words of people, no ids of persons.
"""

import argparse
import asyncio
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from dispatch.config import load_config
from dispatch.demo.board import Board
from dispatch.demo.board_view import view
from dispatch.demo.board_words import words_of
from dispatch.demo.listening import LOGGED, heard_of, read_all
from dispatch.demo.stage import Heard
from dispatch.settings import Language
from dispatch.topics import DELIVERIES, WORK_ORDERS

HERE = Path(__file__).parent
RECORDING = HERE / "morning.jsonl.gz"
PICTURES: Mapping[Language, Path] = {"en": HERE.parent / "board.svg", "zh": HERE.parent / "board.zh.svg"}
AT = datetime.fromisoformat("2026-03-03T10:40:00+08:00")
COLUMNS, LINES = 120, 36
FONTS = (
    "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', "
    "'Noto Sans Mono CJK SC', 'Microsoft YaHei', 'PingFang SC', monospace"
)
# Colours of the sixteen that a terminal has, on a dark ground.
THEME = TerminalTheme(
    (24, 26, 31),
    (205, 210, 218),
    [
        (24, 26, 31), (224, 90, 90), (110, 190, 110), (222, 184, 90),
        (96, 150, 230), (198, 120, 221), (86, 194, 204), (205, 210, 218),
    ],
    [
        (110, 116, 128), (240, 113, 120), (140, 210, 140), (240, 205, 120),
        (130, 175, 245), (215, 150, 235), (120, 215, 224), (240, 242, 246),
    ],
)  # fmt: skip
# No font from elsewhere: whoever looks at it has one.
SVG = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{width}} {{height}}">
<style>
.{{unique_id}}-matrix {{{{ font: {{char_height}}px {FONTS}; line-height: {{line_height}}px; white-space: pre; }}}}
.{{unique_id}}-title {{{{ font: bold 18px {FONTS}; }}}}
{{styles}}
</style>
<defs>
<clipPath id="{{unique_id}}-clip-terminal">
<rect x="0" y="0" width="{{terminal_width}}" height="{{terminal_height}}"/>
</clipPath>
{{lines}}
</defs>
{{chrome}}
<g transform="translate({{terminal_x}}, {{terminal_y}})" clip-path="url(#{{unique_id}}-clip-terminal)">
{{backgrounds}}
<g class="{{unique_id}}-matrix">
{{matrix}}
</g>
</g>
</svg>
"""
_KEPT = (
    *("state", "leg_state", "technician_id", "assignment_id", "display_no", "urgency", "mode", "id", "home_area"),
    *("escalation_id", "level", "reason", "clock", "cause"),
)
_LISTS = {
    "requirements": ("trade",), "recipients": ("id",),
    **dict.fromkeys(("targets", "clock_changes", "clocks"), ("name", "due_at", "state", "breached_at")),
}  # fmt: skip
_UNSEEN = frozenset(
    {"lane.decided", "assignment.evaluated", "shift.planned", "delivery.attempted", "delivery.dropped"}
    | {"work-order.rated", "escalation.held"}
)


def draw(events: Iterable[Heard], at: datetime, lang: Language) -> str:
    """The SVG of the board at a moment: the same bytes for the same events."""
    board = Board()
    for event in events:
        board.note(event)
    words = words_of(load_config(HERE.parents[1] / "config"), lang)
    console = Console(
        record=True, file=io.StringIO(), width=COLUMNS, height=LINES, force_terminal=True, color_system="standard",
        legacy_windows=False, _environ={},
    )  # fmt: skip
    console.print(view(board, at, words, COLUMNS, LINES))
    return console.export_svg(title="dispatch demo", theme=THEME, code_format=SVG, unique_id=f"board-{lang}")


def recorded(path: Path = RECORDING) -> Iterator[Heard]:
    """The events of the recording."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            kind, subject, at, data = json.loads(line)
            yield Heard(
                topic=WORK_ORDERS, type=kind, id=str(number), territory="", subject=subject,
                time=datetime.fromisoformat(at), data=data,
            )  # fmt: skip


async def record(run: Path, until: datetime, path: Path = RECORDING) -> int:
    """Write down what the board reads of a run's events up to a moment; how many there are."""
    from dispatch.embedded import Servers

    with Servers(run / "servers") as servers:
        client = {"bootstrap_servers": servers.kafka}
        read = [record for topic in (*LOGGED, DELIVERIES) for record in await read_all(client, topic)]
    told = [heard_of(record) for record in sorted(read, key=lambda record: record.timestamp)]
    logged = [number for number, event in enumerate(told) if event.topic == WORK_ORDERS and _known_at(event) <= until]
    kept = [event for event in told[: logged[-1] + 1] if event.type not in _UNSEEN]
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for event in kept:
            line = (event.type, event.subject, event.time.isoformat(), _kept(event))
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return len(kept)


def _known_at(event: Heard) -> datetime:
    """When the engine learnt of it: what was keyed in late happened long before."""
    return datetime.fromisoformat(event.headers["recordedtime"])


def _kept(event: Heard) -> dict[str, Any]:
    data = event.data
    if event.topic != WORK_ORDERS:
        return {}
    found = {name: data[name] for name in _KEPT if data.get(name) is not None}
    for name, fields in _LISTS.items():
        if isinstance(data.get(name), list):
            found[name] = [{field: one[field] for field in fields if field in one} for one in data[name]]
    if event.type == "work-order.opened":
        found["location"] = {name: data["location"].get(name) for name in ("area_id", "room")}
    if event.type == "work-order.classified":
        found["changes"] = {"urgency": (data.get("changes") or {}).get("urgency")}
    return found


def main() -> None:
    """Draw both pictures, or record first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, metavar="RUN", help="the folder of a run that is over")
    given = parser.parse_args()
    if given.record:
        print(f"{asyncio.run(record(given.record, AT))} events recorded")
    for lang, path in PICTURES.items():
        path.write_text(draw(recorded(), AT, lang), "utf-8")
        print(path.relative_to(HERE.parents[1]))


if __name__ == "__main__":
    main()
