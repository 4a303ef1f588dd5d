"""Why somebody got an order, in one sentence of each language."""

from collections.abc import Mapping
from functools import lru_cache

from dispatch.rules.matching_scores import IDLE_CAP_MIN


def why(terms: Mapping[str, int], total: int, *, is_placed: bool) -> dict[str, str]:
    """One sentence in ``zh`` and one in ``en``. ``is_placed`` says whether the distance was known."""
    far_zh, far_en = _distance(terms["travel"], is_placed=is_placed)
    load_zh, load_en = _load(terms["load"])
    level_zh, level_en = _level(terms["level"])
    idle_zh, idle_en = _idle(IDLE_CAP_MIN - terms["idle"])
    return {
        "zh": f"综合成本{total}（越低越优先）：{far_zh}，{load_zh}，{level_zh}，{idle_zh}。",
        "en": f"Cost {total} (lower is better): {far_en}, {load_en}, {level_en}, {idle_en}.",
    }


@lru_cache(maxsize=1024)
def _distance(hundreds_m: int, *, is_placed: bool) -> tuple[str, str]:
    if not is_placed:
        return "距离未知", "distance unknown"
    if not hundreds_m:
        return "距离不到50米", "less than 50 m away"
    return f"距离约{hundreds_m * 100}米", f"about {hundreds_m * 100} m away"


@lru_cache(maxsize=1024)
def _load(orders: int) -> tuple[str, str]:
    if not orders:
        return "手头没有工单", "no orders in hand"
    return f"手头{orders}单", f"{orders} order{'s' * (orders > 1)} in hand"


@lru_cache(maxsize=1024)
def _level(spare: int) -> tuple[str, str]:
    if not spare:
        return "技能等级正好", "just the level that is needed"
    return f"技能高出要求{spare}级", f"{spare} level{'s' * (spare > 1)} above what is needed"


@lru_cache(maxsize=1024)
def _idle(minutes: int) -> tuple[str, str]:
    if minutes >= IDLE_CAP_MIN:
        hours = IDLE_CAP_MIN // 60
        return f"已有{hours}小时以上未接新单", f"given nothing for {hours} hours or more"
    return f"距上次派单{minutes}分钟", f"last given an order {minutes} min ago"
