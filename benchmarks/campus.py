"""A large campus made up for benchmarks: its config folder, its technicians, and what people report there.

The trades, the words and the reasons are those of the repository's own ``config/``; the places are made up.
"""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import yaml

from dispatch.rules.triage import classify

CONFIG = Path(__file__).absolute().parents[1] / "config"
TENANT = "bench"
SOURCE = "/bench"
TERRITORIES = 40
BUILDINGS = 10
ROOMS = 900
TECHNICIANS = 50
TRADES_EACH = 4
CAPACITY = 12
NAMES = ("张伟", "王芳", "李娜", "刘洋", "陈静", "杨磊", "Alice Brown", "Bob Smith", "Carol Jones", "David Lee")
CHANNELS = ("wechat", "app", "web", "phone", "front_desk")

TEXTS: tuple[tuple[str, str], ...] = (
    ("plumbing", "卫生间水龙头关不紧，一直滴水，地上已经湿了，请尽快来修"),
    ("plumbing", "The tap in the bathroom keeps dripping and will not close, please send a plumber"),
    ("electrical", "房间的日光灯不亮了，换过灯管也没有用，晚上没法看书"),
    ("electrical", "Two of the ceiling lights flicker all evening, it may be the light switch"),
    ("hvac", "空调不制冷，吹出来的是热风，遥控器电池已经换过"),
    ("hvac", "The air conditioner blows warm air, the filter has been washed already"),
    ("carpentry", "衣柜门的合页松了，关不上，抽屉也拉不开"),
    ("carpentry", "The wardrobe door is off its hinge and the drawer of the desk is stuck"),
    ("locksmith", "宿舍门锁坏了，钥匙插进去转不动，请换锁芯"),
    ("locksmith", "The door lock is jammed and the key does not turn any more"),
    ("masonry", "走廊的瓷砖掉了两块，墙皮也开始起鼓脱落"),
    ("masonry", "Several floor tiles have come loose and the plaster is peeling off the wall"),
    ("appliance", "公共洗衣机投币以后不转，屏幕显示错误代码"),
    ("appliance", "The washing machine takes the coin and then does not start, error on its display"),
    ("network", "校园网连不上，路由器重启过了，网口的灯也不亮"),
    ("network", "The wifi drops every few minutes and the ethernet port is dead"),
    ("elevator", "电梯门关上又打开，按钮按了没有反应，等了很久"),
    ("elevator", "The elevator door opens and closes all the time, the elevator button does not react"),
    ("fire_safety", "走廊的灭火器压力不足，指针在红色区域，请更换"),
    ("fire_safety", "The fire extinguisher in the corridor is past its date, please replace it"),
    ("grounds", "宿舍后面的草坪很久没有修剪，树枝挡住了小路"),
    ("grounds", "Branches of a tree hang over the footpath, and the hedge needs trimming"),
    ("cleaning", "楼道里的垃圾桶满了，地上有污渍，请安排保洁"),
    ("cleaning", "The trash can in the hallway is full and there is a stain on the carpet"),
    ("pest_control", "宿舍里发现很多蟑螂，晚上还有老鼠，请来消杀"),
    ("pest_control", "There are cockroaches in the kitchen and we have seen a mouse"),
    ("security", "门禁刷卡没有反应，摄像头好像也坏了"),
    ("security", "The card reader at the entrance does not react and the camera looks broken"),
    ("general", "办公室需要把白板挂到墙上，再打两个孔"),
    ("general", "Please mount a whiteboard on the wall and hang a notice board beside it"),
)
"""What people write, with the trade it is for."""


def write_config(folder: Path, territories: int = TERRITORIES) -> Path:
    """The config folder: direct assignment, no duplicates, one SLA table on a calendar that never closes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("trades.yaml", "lexicon.yaml", "reasons.yaml", "ladders.yaml"):
        shutil.copy(CONFIG / name, folder / name)
    _write(folder / "site.yaml", {
        "tenant": TENANT, "timezone": "Asia/Shanghai", "default_territory": territory_id(0), "confirm_silence": "leave",
    })  # fmt: skip
    _write(folder / "territories.yaml", [_territory(number) for number in range(territories)])
    _write(folder / "calendars.yaml", {"always": {"timezone": "Asia/Shanghai", "always": True}})
    _write(folder / "sla.yaml", [{
        "id": "all", "calendar": "always", "ladder": "standard",
        "targets": {
            "triage": {"within": "2h"}, "accept": {"within": "2h"}, "arrive": {"within": "6h"},
            "resolve": {"within": "24h"}, "confirm": {"within": "72h"},
        },
    }])  # fmt: skip
    _write(folder / "matching.yaml", {"modes": [{"mode": "direct"}], "duplicates": {"enabled": False}})
    return folder


def _write(path: Path, data: Any) -> None:
    path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")


def territory_id(number: int) -> str:
    """``t00`` and so on."""
    return f"t{number:02d}"


def _territory(number: int) -> dict[str, Any]:
    name, lat, lon = territory_id(number), 30.0 + number // 8 * 0.1, 120.0 + number % 8 * 0.1
    buildings = [
        {
            "id": f"{name}.b{each}", "kind": "building", "name": {"zh": f"{each + 1}号楼", "en": f"Block {each + 1}"},
            "lat": round(lat + each % 4 * 0.002, 4), "lon": round(lon + each // 4 * 0.002, 4),
        }
        for each in range(BUILDINGS)
    ]  # fmt: skip
    label = {"zh": f"第{number + 1}校区", "en": f"Campus {number + 1}"}
    root = {"id": name, "kind": "campus", "name": label, "lat": lat, "lon": lon, "areas": buildings}
    return {"id": name, "name": label, "areas": [root]}


def event(kind: str, event_id: str, time: datetime, data: dict[str, Any]) -> bytes:
    """A CloudEvent in structured mode."""
    text = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": f"dispatch.{kind}.v1",
        "time": text,
        "data": data,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def technician_id(territory: int, number: int) -> str:
    """``t00-w00`` and so on."""
    return f"{territory_id(territory)}-w{number:02d}"


def staff(
    now: datetime, territories: int = TERRITORIES, each: int = TECHNICIANS, capacity: int = CAPACITY
) -> Iterator[tuple[int, bytes]]:
    """The events that bring technicians on duty, with the territory's number; those of one person in order."""
    trades = list(yaml.safe_load((CONFIG / "trades.yaml").read_text("utf-8")).items())
    expires = (now + timedelta(days=365)).isoformat()
    for territory in range(territories):
        for number in range(each):
            mine = [trades[(number * TRADES_EACH + turn) % len(trades)] for turn in range(TRADES_EACH)]
            who = technician_id(territory, number)
            papers = sorted({paper for _, trade in mine for paper in trade.get("certificates", ())})
            data = {
                "id": who, "version": int(now.timestamp()), "org_id": "in-house",
                "home_territory": territory_id(territory),
                "home_area": f"{territory_id(territory)}.b{number % BUILDINGS}",
                "skills": [{"trade": trade, "level": 5} for trade, _ in mine],
                "certificates": [{"type": paper, "expires": expires} for paper in papers],
                "capacity": {"open": capacity}, "speed_m_s": 4.0, "languages": ["zh", "en"],
            }  # fmt: skip
            yield territory, event("technician.updated", f"u-{who}-{now.timestamp()}", now, data)
            start, end = now - timedelta(minutes=1), now + timedelta(hours=20)
            shift = {"technician_id": who, "start": start.isoformat(), "end": end.isoformat()}
            yield territory, event("shift.started", f"s-{who}-{now.timestamp()}", now, shift)


def request(number: int, run: str, now: datetime, territories: int = TERRITORIES) -> bytes:
    """Report ``number`` of a run: trades, territories and people take turns, so that load is even.

    Rooms are drawn, the same for the same report: turns of all rounds would meet in the same rooms with the same
    words, and nearly every order were rework, which on an estate some in a hundred are.
    """
    drawn = crc32(request_id(run, number).encode())
    text = TEXTS[(number + number // territories) % len(TEXTS)][1]
    data = {
        "channel": CHANNELS[number % len(CHANNELS)],
        "reporter": {"id": f"u{number % 20_000}", "name": NAMES[number % len(NAMES)]},
        "text": text,
        "location": {
            "territory": territory_id(number * 7 % territories),
            "building": f"Block {drawn % BUILDINGS + 1}",
            "room": str(100 + drawn // BUILDINGS % ROOMS),
        },
    }
    return event("request.submitted", request_id(run, number), now, data)


def request_id(run: str, number: int) -> str:
    """The id of a report; :func:`number_of` reads the number back."""
    return f"{run}-{number}"


def number_of(request: bytes) -> int:
    """The number in a request's id."""
    return int(request.rpartition(b"-")[2])


def check_texts(policy: Any) -> None:
    """RuntimeError when triage no longer finds the trades that the texts are for."""
    for trade, text in TEXTS:
        found = classify(policy, text=text)
        if found.trade != trade:
            raise RuntimeError(f"benchmarks/campus.py: {text!r} is {found.trade}, not {trade}")
