"""The words by which two faults of one report are told from one fault and what became of it; both languages alike.

Tables of patterns over folded text. When they are wrong, one crew goes where two were needed, and says so: that is the
cheaper mistake.
"""

import re
from typing import Final

from dispatch.rules.gazetteer import Gazetteer
from dispatch.rules.place_text import CONTAINERS, read_place
from dispatch.rules.policy import Policy
from dispatch.rules.words import Hit, WordIndex


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


_Trades = frozenset[str]


def _set(names: str) -> _Trades:
    return frozenset(names.split())


_FINE: Final = _any(
    r"没问题|没事|正常|好的|[修换弄装]好|没坏|还好|[没未](?:看见|闻到|发现|听到)|不是|没有?(?:异味|冒烟|火)|没有?人(?:在|困|受)|能用|不用|不需要|不[冒烫臭]",
    r"试过|有电|插好|插了|检查过|看过|换过|重启|已经?(?:换|修|清|搬|关|开|停|通知|报)|上次|之前|以前|去年|前[几两]?天",
    r"\b(?:fine|works|working now|fixed|repaired|replaced|ok|okay|no more|no longer|nobody"
    r"|no one|already|not (?:the|an?))\b",
    r"\b(?:checked|tried|tested|restarted|rebooted|reset)\b",
    r"\b(?:last (?:year|month|week|time)|used to|previously|yesterday)\b",
)
"""Nothing is the matter with it, or not now."""

_GUESS: Final = _any(
    r"可能|估计|怀疑|应该是|大概|是不是|好像是|会不会|吧$|以为|不知道?是|像是?",
    r"\b(?:maybe|perhaps|probably|might|must be|i think|i guess|i suspect|looks? like|could be|seems? like"
    r"|like an?|as if)\b",
)
_LINKED: Final = _any(
    r"^(?:每次|每当|只要|如果|要是|于是|所以|导致|结果|因此|因为|由于|弄得|搞得|害得|使得|以致|从而|造成|连带|才|就|但是?|不过|只是|而是|可是)",
    r"的时候|都[晃震抖湿停黑]|就在|(?<![不无没])显示(?![不器屏异])|指示灯|报错|导致|害得|造成|引起|才能|一开.{0,6}就|怕|担心|不敢|影响",
    r"^(?:when|whenever|if|after|while|as soon as|every time|once|until|since|because|so|which|as|then|now|but|due"
    r"|causing|making|that is|that's|it|its|it's|they|this|even|just|only)\b",
    r"\b(?:(?:on|in|of|inside|to) it|shows?|displays?|indicator|because|so that|due to"
    r"|caus(?:es|ed|ing)|when|whenever|afraid|worried|in case)\b",
)
"""A condition, a cause, a consequence, a restriction, or a word for the thing that was named before."""

_REMEDY: Final = _any(
    r"^(?:请|麻烦|希望|求|想|需要?|要|能否|能不能|可否|尽快|赶紧|快来?|来人|派|让|叫|给|帮)",
    r"^(?:please|pls|plz|needs?|(?:can|could|would) (?:you|someone|somebody)|kindly|send|want|someone|somebody|have|let"
    r"|i need|we need)\b",
)
"""What should be done about it; told as another matter it may be another wish."""

_TROUBLE: Final = _any(
    r"坏|[不没未]|无法|无(?:水|电|网|声|信号)|[漏滴堵掉断松裂破烂闪响卡黑灭锈歪晃翘脱缺丢碎渗塞慢乱臭脏满塌鼓跳憋冒]|失灵|故障|异常|短路|散架|起皮|发霉"
    r"|变形|偏色|花屏|死机|停了|倒了|蟑螂|老鼠|蚂蚁|虫|蜂|垃圾|[换修装搬疏]|清洗|打扫|加固|少|看[一看下]",
    r"n't\b|\b(?:not|no|won't|cannot|broke\w*|leak\w*|drip\w*|clog\w*|block\w*|loose|out|down|off|dead|stuck|torn|nois\w*|loud"
    r"|dark|dim|crack\w*|stop\w*|fail\w*|flicker\w*|jam\w*|bent|missing|smell\w*|stink\w*|filthy|dirty|hang\w*|fell|cold|warm"
    r"|hot|weak|slow\w*|holes?|burn\w*|trip\w*|spark\w*|rust\w*|chip\w*|fix\w*|repair\w*|replac\w*|chang\w*|install\w*"
    r"|clean\w*|vacuum\w*|ants?|roach\w*|cockroach\w*|mice|mouse|rats?|bugs?|bees?|wasps?|keeps?|sticks?|sticking|squeak\w*"
    r"|move (?:an?|the|my|our|some)|runs? (?:nonstop|all)|running|overflow\w*"
    r"|fault\w*|defect\w*|damag\w*|wobbl\w*|tilted|blown|water|open|trash|garbage|check|look at)\b",
)
"""Something is wrong with a thing, or should be done to it: a clause without such a word only names it."""

_ALSO: Final = _any(r"也|又|还(?!是|好|没|未|有点|能|可以|在)|\b(?:too|as well|also|either|another)\b")

_BEFORE_A_PLACE: Final = frozenset("在到靠往从离挨朝向对")
_AFTER_A_PLACE: Final = re.compile(
    r"的?(?:旁|附近|门口|那|里|内|上(?!不|了|锁)|下(?!水|不|来)|后|前|外|底|顶|边|角|中间|之间|对面|这)"
)
_PREPOSITIONS: Final = _set(
    "near in on over under from behind by at beside next to inside into onto above below around outside off through "
    "against between across toward towards with"
)
_IN_A_THING: Final = frozenset({"hole", "crack", "leak", "gap", "dent"})
_ROOMS: Final = _any(
    r"卫生间|洗手间|厕所|厨房|阳台|走廊|楼道|楼梯间?|大厅|门厅|宿舍|寝室|教室|办公室|会议室|实验室|机房|浴室|澡堂|水房|食堂|车库|地下室"
    r"|卧室|客厅|病房|值班室|[a-z0-9一二三四五六七八九十]+(?:楼|层|室|栋|号楼|单元)",
    r"\b(?:bathroom|restroom|washroom|kitchen|balcony|hallway|corridor|lobby|dorm|classroom|office|lab|basement|garage"
    r"|bedroom|stairwell|lounge|library|gym|room|floor|apartment|unit|suite)\b",
)

_WHICH_ROOM: Final = _any(
    r"(?<!\d)[1-9]\d{2,3}(?![\d.:%]|元|块|人|年)",
    r"卫生间|洗手间|厕所|厨房|阳台|走廊|楼道|大厅|宿舍|寝室|教室|办公室|会议室|实验室|浴室|卧室|客厅|食堂",
    r"\b(?:bathroom|restroom|kitchen|balcony|hallway|corridor|lobby|classroom|garage|bedroom|stairwell|lounge|library)\b",
)
_ALWAYS: Final = _any("")
_ONE_MATTER: Final[tuple[tuple[_Trades, _Trades, re.Pattern[str], int], ...]] = (
    # water, and what it does to walls, floors, wood and wires
    (
        _set("plumbing hvac masonry appliance"),
        _set("masonry carpentry cleaning electrical plumbing grounds general hvac"),
        _any(
            r"泡|湿|滑|淹|渗|掉皮|起皮|起泡|发?霉|水印|水渍|积水|全是水|都是水|流到|滴到|漏到|流得|漫|溅|跳闸|短路|漏电",
            r"swollen|warp|soak|wet\b|stain|mou?ld|slipper|puddle|peel|bubbl|trip|short|flood",
            r"drip\w* (?:on|down|into|from)",
            r"through (?:the|my|our) (?:ceiling|wall|floor)",
        ),
        2,
    ),
    # no power, and the machines that stand still
    (
        _set("electrical"),
        _set("appliance hvac elevator network security fire_safety"),
        _any(
            r"停电|断电|没电|无电|没有电|跳闸|电压|缺相|电源|一插|电闸|空开",
            r"power|voltage|trip|breaker|circuit|outage|electricity|plug|fuse|current",
        ),
        2,
    ),
    # no water, and what needs it
    (
        _set("plumbing"),
        _set("appliance hvac gas"),
        _any(r"水压|停水|没水|没有水|断水|无水|水小", r"water pressure|no water|water is (?:off|low)|without water"),
        2,
    ),
    # what comes in through a hole, or to what is dirty
    (_set("pest_control"), _set("carpentry masonry cleaning grounds plumbing general"), _ALWAYS, 1),
    # dirt and smell are what a fault leaves behind
    (
        _set("cleaning"),
        _set("plumbing hvac appliance masonry carpentry electrical gas pest_control grounds security general"),
        _any(
            r"味|臭|脏|擦|拖|扫|清|散|污|黏|粘|smell|stink|odou?r|reek|dirt|mop|wipe|sweep|clean|vacuum|mess|dust|vomit|spill"
        ),
        1,
    ),
    # one door has a leaf, a lock and a reader
    (_set("locksmith carpentry security elevator"), _set("locksmith carpentry security elevator"), _ALWAYS, 1),
    # gas, its alarm, its pipe and its stove
    (_set("gas"), _set("plumbing appliance fire_safety hvac carpentry electrical locksmith"), _ALWAYS, 1),
    (_set("fire_safety"), _set("electrical appliance plumbing"), _ALWAYS, 1),
    # what is built in and around
    (_set("masonry"), _set("grounds cleaning plumbing general carpentry hvac"), _ALWAYS, 1),
    (_set("grounds"), _set("cleaning plumbing carpentry general security pest_control"), _ALWAYS, 1),
    # a lift has a door, a lamp, a fan and a floor of its own
    (
        _set("elevator"),
        _set("electrical carpentry locksmith appliance hvac cleaning network security general"),
        _ALWAYS,
        1,
    ),
    # heat comes with water
    (_set("hvac"), _set("plumbing"), _ALWAYS, 1),
    (_set("appliance"), _set("plumbing electrical gas network"), _any(r"插头|电源|接口|plug|cord|cable"), 2),
    # to fetch and to fit something
    (_set("general"), _set("carpentry electrical plumbing masonry cleaning security appliance locksmith"), _ALWAYS, 1),
    (_set("security"), _set("cleaning general electrical network"), _ALWAYS, 1),
)
"""Pairs of trades that may be one matter, told by which words, and how plainly another matter must be told to be one.

2: by a list or a word that adds (另外, also) between them; 1: by such a word within the clause will do (也, too).
"""


def is_excused(folded: str, *, wish: bool) -> bool:
    """Whether a clause tells of no fault of its own, whatever thing it names; ``wish``: it may ask for something."""
    if _FINE.search(folded) or _GUESS.search(folded) or _LINKED.search(folded):
        return True
    return not wish and _REMEDY.search(folded) is not None


def says_also(folded: str) -> bool:
    """Whether the clause says of itself that it adds something."""
    return _ALSO.search(folded) is not None


def is_one_matter(before: str, trade: str, clause: str, other: str, apart: int) -> bool:
    """Whether what a clause tells may be one matter with what stands before it; ``apart`` as in the table."""
    return any(
        apart < needed
        and ((trade in some and other in others) or (other in some and trade in others))
        and (words.search(clause) is not None or words.search(before) is not None)
        for some, others, words, needed in _ONE_MATTER
    )


def is_elsewhere(before: str, clause: str) -> bool:
    """Whether the clause names a room, and another one than what stands before it: 202 … 203, kitchen … bathroom."""
    there, here = set(_WHICH_ROOM.findall(before)), set(_WHICH_ROOM.findall(clause))
    return bool(there) and bool(here) and there.isdisjoint(here)


def subjects_of(policy: Policy, folded: str) -> tuple[frozenset[str], frozenset[str]]:
    """The trades whose things the clause names as what is broken, and those that any of its words hint at.

    None, if it says of nothing that it is broken, and names no emergency.
    """
    index = policy.compiled(WordIndex)
    things, alarms = index.scan(folded)
    emergencies = policy.document.lexicon.emergencies
    dangers = {emergencies[mark.name].trade for hit in alarms for mark in hit.word.marks if mark.kind == "emergency"}
    if any(hit.negated for hit in alarms) or not (dangers or _TROUBLE.search(folded)):
        return frozenset(), frozenset()
    tokens = index.tokens(folded)
    named = {
        trade
        for hit in things
        for trade, weight in hit.word.votes
        if weight == hit.word.weight and not _is_a_place(hit, folded, tokens)
    }
    hinted = {trade for hit in things for trade, _weight in hit.word.votes}
    return frozenset(named | dangers), frozenset(hinted | dangers)


def _is_a_place(hit: Hit, folded: str, tokens: tuple[str, ...]) -> bool:
    if hit.is_english:
        in_it = hit.at > 1 and tokens[hit.at - 2] in _IN_A_THING
        return hit.at > 0 and tokens[hit.at - 1] in _PREPOSITIONS and not in_it
    if hit.at and folded[hit.at - 1] in _BEFORE_A_PLACE:
        return True
    return _AFTER_A_PLACE.match(folded, hit.end) is not None


def leads_to_a_place(policy: Policy, text: str) -> bool:
    """Whether the words say where: a place of the policy, a room, a floor, or a kind of room."""
    told = read_place(policy.compiled(Gazetteer), text, None)
    if (told.area is not None and told.area.kind not in CONTAINERS) or told.room or told.floor or told.asset:
        return True
    low = text.casefold()
    return _ROOMS.search(low) is not None or _WHICH_ROOM.search(low) is not None
