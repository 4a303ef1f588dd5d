"""How well the place is read out of a report's words: our own texts, and those held out of them.

Judged by `locate`, as the engine asks it, from the text (and the territory, where a text comes with one). Prints one
JSON line.
"""

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmarks.common import machine, median, percentile, report, say
from corpus.placing import FOLDER, Placed, placed
from dispatch.config import load_config
from dispatch.models.policy import PolicyDocument
from dispatch.rules.location import Place, locate
from dispatch.rules.policy import Policy, compile_policy

ROOT = Path(__file__).parents[1]
PARTS = ("area", "building", "floor", "room", "asset")
UNPLACED = (
    "灯坏了，麻烦派个师傅来看看",
    "宿舍里面的灯一直在闪，晚上睡觉的时候特别影响休息，麻烦师傅尽快来看看谢谢",
    "the radiator in our place has been cold since Monday, please send somebody",
)
IN_PLACE = (
    "麻烦看下，三号楼502室水管爆了",
    "12栋517阳台灯不亮",
    "图书馆三楼东侧男厕的小便斗一直冲水",
    "I'm locked out of Dormitory 3 room 407, key snapped",
)


class Judged(NamedTuple):
    """A text, where it should be and where it was found: area, building, floor, room, asset."""

    text: Placed
    gold: dict[str, str | None]
    said: dict[str, str | None]

    @property
    def right(self) -> bool:
        return self.gold == self.said

    @property
    def wrong(self) -> bool:
        """A definite building or room, and not the right one."""
        return any(self.said[part] not in {None, self.gold[part]} for part in ("building", "room"))


def sites() -> dict[str, Policy]:
    """The policy of each site: the second has all but the places of the first."""
    demo = load_config(ROOT / "config")
    areas = yaml.safe_load((FOLDER / "river.yaml").read_text(encoding="utf-8"))
    content = demo.document.model_dump(mode="json", by_alias=True)
    content["territories"] = areas
    content["site"]["default_territory"] = areas[0]["id"]
    content["sla"] = [row for row in content["sla"] if not (row["when"]["area"] or row["when"]["territory"])]
    return {"demo": demo, "river": compile_policy(PolicyDocument.model_validate(content))}


def judge(policies: dict[str, Policy], texts: Iterable[Placed]) -> list[Judged]:
    return [
        Judged(text, gold_of(policies[text.site], text), said_of(locate(policies[text.site], text.form, text.text)))
        for text in texts
    ]


def gold_of(policy: Policy, text: Placed) -> dict[str, str | None]:
    """What a text's label means: of a room with a name its floor and its number too."""
    gold = {"area": None, "building": None, "floor": text.floor, "room": text.room, "asset": text.asset}
    if text.area is None:
        return gold
    ends = f".{text.area}"
    node = policy.areas.get(text.area) or next(each for each in policy.areas.values() if each.id.endswith(ends))
    gold["area"] = node.id
    for area in (policy.areas[each] for each in node.path):
        if area.kind in {"building", "floor", "room"}:
            gold[area.kind] = area.id if area.kind == "building" else area.name.en
    return gold


def said_of(place: Place) -> dict[str, str | None]:
    named = place.source == "text"
    return {"area": place.area_id if named else None, "building": place.building, "floor": place.floor,
            "room": place.room, "asset": place.asset_id}  # fmt: skip


def figures(judged: Sequence[Judged]) -> dict[str, object]:
    """``nowhere`` are the texts that name no building: phone numbers, prices, dates, and places that do not exist."""
    nowhere = [each for each in judged if each.text.area is None]
    return {
        "n": len(judged),
        "right": share(each.right for each in judged),
        "wrong": share(each.wrong for each in judged),
        **{part: share(each.gold[part] == each.said[part] for each in judged) for part in PARTS},
        "nowhere": {"n": len(nowhere), "right": share(each.right for each in nowhere)},
    }


def share(flags: Iterable[bool]) -> float:
    found = list(flags)
    return round(sum(found) / len(found), 4)


def speed(policy: Policy, texts: Sequence[str], calls: int) -> list[float]:
    """Microseconds of a call for each text: the best of several rounds, which is what the neighbours leave alone."""
    best = []
    for text in texts:
        rounds = []
        for _ in range(25):
            start_ns = time.thread_time_ns()
            for _ in range(calls):
                locate(policy, None, text)
            rounds.append((time.thread_time_ns() - start_ns) / calls / 1e3)
        best.append(round(min(rounds), 1))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100, help="calls a round of the measure of speed")
    parser.add_argument("--show", action="store_true", help="print every text of the open part that is not right")
    asked = parser.parse_args()
    policies = sites()
    texts = list(placed())
    judged = {split: judge(policies, [each for each in texts if each.split == split]) for split in ("open", "test")}
    if asked.show:
        for each in judged["open"]:
            if not each.right:
                differs = {
                    part: (each.gold[part], each.said[part]) for part in PARTS if each.gold[part] != each.said[part]
                }
                say(f"{'WRONG' if each.wrong else 'open '} {each.text.id} {each.text.text} {differs}")
    rates = speed(policies["demo"], [each.text for each in texts], 1)
    unplaced, in_place = (speed(policies["demo"], each, asked.calls) for each in (UNPLACED, IN_PLACE))
    held_out = figures(judged["test"])
    report(
        name="places",
        ratio=held_out["right"],
        engine=round(1e6 / median(rates)),
        unit="texts/s",
        runs=[],
        held_out=held_out,
        open=figures(judged["open"]),
        held_out_by_site={
            site: figures([each for each in judged["test"] if each.text.site == site]) for site in policies
        },
        speed={"unplaced_us": unplaced, "in_place_us": in_place, "corpus_p50_us": round(percentile(rates, 500), 1),
               "corpus_p99_us": round(percentile(rates, 990), 1)},
        machine=machine(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
