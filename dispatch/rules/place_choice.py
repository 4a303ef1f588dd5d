"""Which of several places a text is about: the one where the fault is, not where its reporter lives."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from dispatch.rules.policy import AreaNode


class Mention(NamedTuple):
    """A place that a plain text names. ``nodes`` are all that it may be; none for a building that does not exist."""

    start: int
    end: int
    name: str
    nodes: tuple[AreaNode, ...]


_NEAR = 24
_BEFORE = (  # what stands right before a place, and what that says for it
    (
        re.compile(
            r"(?:我|俺|本人|我们|咱们?)(?:人|家|现在|目前|平时|以前)*(?:是|在|住在|住|家在|来自)+$|住在?$|报修人.{0,4}$|来自$"
            r"|(?<![a-z])(?:i|we)(?:'m|'re| am| are)?(?: [a-z]+){0,3} (?:in|at|from|near)(?: the)? ?$"
            r"|(?<![a-z])(?:i'm|i am|we're|we are) ?(?:the )?$"
            r"|(?<![a-z])(?:caller|student|resident|tenant|reporter|guest|somebody|someone)s? "
            r"(?:in|at|from|of)(?: the)? ?$"
        ),
        -2,
    ),
    (
        re.compile(
            r"(?:不是|不在|并非|没在|除了)(?:在|说)?$"
            r"|(?<![a-z])(?:not|isn't|instead of|except)(?: in| at)?(?: the)? ?$"
        ),
        -6,
    ),
    (
        re.compile(
            r"(?:上次|上周|昨天|前天|之前|以前|上回|上个月|去年)[^,。;]{0,5}$"
            r"|(?<![a-z])(?:last (?:week|time|month|year)|previously|yesterday|before)[^,.;]{0,10}$"
        ),
        -3,
    ),
    (
        re.compile(
            r"(?:搬|送|运|移|拿|寄|带|调)(?:到|去|回)$"
            r"|(?<![a-z])(?:mov|tak|bring|deliver|send|sent|carr)[a-z]*(?: [a-z0-9]+){0,3} to(?: the)? ?$"
        ),
        -3,
    ),
    (re.compile(r"(?<![a-z])[a-z]+ing (?:in|at|on|outside|inside)(?: the)? ?$"), 1),
    (re.compile(r"(?:从|离开|路过|经过)$|(?<![a-z])from(?: the)? ?$"), -1),
    (
        re.compile(
            r"(?:对着|对面是|靠近|挨着|紧邻|朝着)$"
            r"|(?<![a-z])(?:opposite|next to|near|beside|behind|across from|close to)(?: the)? ?$"
        ),
        -3,
    ),
    (
        re.compile(
            r"(?:坏的是|漏水的是|停电的是|坏了的是|的是|问题在|地点|地址|位置|报修|这次是?|今天|现在是?|说的是|维修|来修|去修|修)[:\s]*$"
            r"|(?<![a-z])(?:is|it's|are|leak|fault|broken|problem|now)(?: (?:outside|inside|in|at|on|the|of|not))* ?$"
        ),
        2,
    ),
)
_AFTER = (
    (
        re.compile(
            r"的?(?:都|也|已经|早就)?(?:没事|正常|好的|好着|好了|没问题|修好|修完|有水|有电)"
            r"| ?(?:is|are|was|were) (?:fine|ok|okay|fixed|working)"
        ),
        -4,
    ),
    (re.compile(r"的?(?:学生|同学|住户|老师|宿管|居民)[^的]"), -1),
    (re.compile(r"(?:楼下|门口)?的?路上"), -2),
)
_REFERENCE = re.compile(
    r"(?:楼|大门)?的?(?:旁边|旁|对面|附近|后面|前面|隔壁|边上|斜对面|边|楼下|门口|门前)的?(?:那个|那座|那栋)?"
)
_AND = re.compile(r"[\s]*(?:和|与|及|跟|以及|还有|、|/|&|\+|,? ?and)\s*(?:the )?")
_KIND_RANK = {"building": 3, "room": 3, "outdoor": 2, "zone": 1, "campus": 0}


def choose(plain: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Of several places the one meant; all of those that are meant alike, joined by an and."""
    if len(mentions) == 1:
        return list(mentions)
    if len({each.nodes or each.name for each in mentions}) == 1:
        return [max(mentions, key=lambda each: _score(plain, mentions, each))]
    scored = [(_score(plain, mentions, each), _rank(each), each) for each in mentions]
    best = max((score, rank) for score, rank, _ in scored)
    chosen = [each for score, rank, each in scored if (score, rank) == best]
    first = chosen[0]
    joined = [first]
    for each in chosen[1:]:
        if each.nodes != first.nodes and _AND.fullmatch(plain, joined[-1].end, each.start):
            joined.append(each)
    return joined


def _rank(mention: Mention) -> int:
    return max((_KIND_RANK.get(node.kind, 0) for node in mention.nodes), default=3)


def _score(plain: str, mentions: Sequence[Mention], one: Mention) -> int:
    """The sum of what the words before and after a place say for its being the one meant."""
    at = mentions.index(one)
    previous = mentions[at - 1].end if at else 0
    following = mentions[at + 1].start if at + 1 < len(mentions) else len(plain)
    start = max(previous, one.start - _NEAR)
    score = sum(value for cue, value in _BEFORE if cue.search(plain, start, one.start))
    score += sum(value for cue, value in _AFTER if cue.match(plain, one.end, min(following, one.end + _NEAR)))
    if at + 1 < len(mentions) and _REFERENCE.fullmatch(plain, one.end, following):
        score -= 3
    if at and _AND.fullmatch(plain, previous, one.start):
        score = max(score, _score(plain, mentions, mentions[at - 1])) if score >= 0 else score
    return score
