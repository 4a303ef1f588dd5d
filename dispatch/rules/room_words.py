"""How rooms and floors are written in a plain text, and which numbers only look like one.

Patterns are for :func:`~dispatch.rules.names.plain_text`: lower case, numerals as digits.
"""

import re
from collections.abc import Collection

NUMBER_WORDS = frozenset(
    ("room", "rm", "flat", "apt", "apartment", "unit", "floor", "level", "basement", "dorm", "dormitory", "building",
     "bldg", "block", "blk", "tower", "office", "lab", "classroom", "ward", "suite", "studio", "no", "number", "fl")
)  # fmt: skip
"""Words without one of which a text that has no number like a room's says nothing of rooms and floors."""

_UNITS = (  # what makes a count, a price or a time of the number before it: 305块, 8点, 402人, 1500 w
    r"(?! (?:元|块钱|小时|分钟|米|度|人|个|次)|(?:元|块(?!地)|角|钱|个|小时|人|次(?!卧)|天(?!花|台|窗|线)|年|月"
    r"|日(?!光)|点(?!不|灯)|时|分|秒|钟|米|寸|度|级|届"
    r"|路(?!由|灯|面)|条|张|台(?!灯|面|盆|阶|下)|盏|把(?!手)|套|件|份|瓶|箱|吨|斤|公[里斤分尺]|兆|伏|瓦|毫|厘|平[米方]"
    r"|多[个人次]?|余|名|位|字|页|班|周|楼(?![上下道顶梯])|层|栋|幢|号楼|倍|折|股|款|型|网络|%|℃|°)"
    r"|\s?(?:w|v|kw|kwh|watts?|volts?|mm|cm|m|km|kg|g|mb|mbps|am|pm|hz|st|nd|rd|th|rmb|usd|px"
    r"|hours?|hrs?|minutes?|mins?|days?|weeks?|months?|years?|dollars?|yuan|degrees?|people|persons?|students?|times)"
    r"(?![a-z]))"
)
_END = rf"(?:[a-f](?![a-z0-9]))?(?!\d)(?![.:]\d|[-–]\d\d){_UNITS}"
_PLAIN = rf"(?:[a-z](?:座|区)?-?\d{{3,4}}|\d{{1,2}}(?:单元|[-–])\d{{3,4}}|\d{{3,4}}){_END}"
_MARKED = rf"(?:[a-z](?:座|区)?-?\d{{1,4}}|\d{{1,2}}(?:单元|[-–])\d{{1,4}}|\d{{1,4}}){_END}"
_MARK_ZH = r"(?:房间|寝室|宿舍|教室|办公室|实验室|病房|诊室|房|室|门牌)(?:号码|号)?[\s是为:]*"
_MARK_EN = (
    r"(?<![a-z])(?:room|rm|flat|apt|apartment|unit|suite|studio|office|lab|classroom|ward|no|number)"
    r"[\s.:#]*(?:(?:no|number)[\s.:#]*)?"
)
_SUFFIX = r"(?:室|房(?![租费价东产])|寝|宿舍|教室|办公室|实验室|会议室|自习室|机房|病房|诊室|包间|号房|号门|号室|琴房)"
_SEP = r"(?:[\s,、;:/()\[\]【】·.|—–-]|的|那边|这边|里面|里|内){0,6}"
_FLOOR = r"(?:第?(?P<floor>\d{1,2})(?:楼|层)(?!号|栋)|(?:floor|level)\s*(?P<floor_en>\d{1,2})(?!\d))"

AFTER = re.compile(
    rf"{_SEP}(?:{_FLOOR}{_SEP})?(?:(?:{_MARK_ZH}|{_MARK_EN}|\#\s?|号)(?P<marked>{_MARKED})|(?P<plain>{_PLAIN}|\d{{1,2}}[a-f](?![a-z0-9])))"
)
"""A room right after the name of its building: 3栋402, Dorm 3, room 402, 3号楼4楼的402."""

BEFORE = re.compile(
    rf"(?:{_MARK_EN}(?P<marked>{_MARKED})|(?<![a-z0-9_.:/$¥#-])(?P<plain>{_PLAIN}))(?:[\s,@(\[-]|in\b|at\b|of\b|on\b|the\b)*$"
)
"""A room right before the name of its building: room 402 in dorm 3, 402 Dorm 3."""

_NUMBERS = (
    "学号|工号|编号|单号|号码|尾号|卡号|账号|电话|手机|致电|拨打|密码|代码|错误|报错|型号|房租|价格?|费用?|费|花了|交了"
)
_BEFORE_TRAP = re.compile(
    rf"(?:{_NUMBERS}|充了?|第|约|近|大概|超过|一?共|等了|微信|版本|热线|单价|分机|转|qq|wx|tel|phone|ext|price|cost|code|error"
    r"|model|ticket|order|http|pin|password|id|extension|paid)[\s号了是为:#\w]{0,3}$"
)
ANYWHERE = re.compile(
    rf"(?<![a-z0-9_.:/$¥-])(?P<suffixed>{_MARKED.replace(_UNITS, '')})(?={_SUFFIX})"
    rf"|{_MARK_ZH}(?P<marked>{_PLAIN})"
    rf"|(?<![a-z])(?:room|rm|flat|apt|apartment)[\s.:\#]*(?:(?:no|number)[\s.:\#]*)?(?P<en>{_MARKED})"
    rf"|(?<![a-z])(?:office|lab|classroom|ward|suite)[\s.:\#]+(?P<en_long>{_PLAIN})"
)
"""A room that says that it is one, wherever it stands: 402寝室, 房间号402, room 2B."""

BARE = re.compile(rf"(?:(?<=[\s,.;:。、!?是在住])|^)\#?(?P<plain>{_PLAIN})(?=[\s,.;:。、!?的]|$)")
"""A number on its own, which is a room where the building is known: 厕所堵了，402."""

_ORDINALS = {
    word: str(value)
    for value, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"), 1
    )
}
FLOOR_ZH = re.compile(
    r"(?<![\d.#到至~、和与及-])(\d{1,2})(?:楼(?![号栋]|[到至~、和与及-]\d)|层(?!楼|[到至~、和与及-]\d)|层(?<=第\d层))"
)
FLOOR_EN = re.compile(
    r"(?<![a-z\d])(\d{1,2})(?:st|nd|rd|th)?[\s-]?(?:floor|fl(?![a-z]))|(?<!\d)(\d{1,2})/?f(?![a-z\d])|(?<![a-z])(?:floor|level)\s?(\d{1,2})"
    r"(?![\d.:]| ?(?:m|metres?|meters?|feet|ft|cm|days?|times|hours?)(?![a-z]))"
    rf"|(?<![a-z])({'|'.join(_ORDINALS)})[\s-]floor"
)
_COUNTED = re.compile(r"[有共约这那]$")
_BELOW = re.compile(
    r"(?:地下|负|b)(?:(\d)(?:楼|层))|(?<![a-z])b(\d)\s?floor|地下(?:室|车库)|(?<![a-z])basement(?![a-z])"
    r"|(?<![a-z])(ground)[\s-]floor"
)
_FLOOR_WORDS = frozenset(("floor", "level", "f", "fl", "thfl", "basement", "ground"))

_YEAR = re.compile(r"(?:19|20)\d\d")
_EMERGENCY_NUMBERS = frozenset({"110", "119", "120", "122"})
_WING = re.compile(r"(?<=^[a-z])(?:座|区|-)")


def room_of(found: re.Match[str] | None) -> str | None:
    """The room that a pattern of this module has found, as it is kept: B座1103 is B1103, 2单元501 is 2-501."""
    if found is None:
        return None
    written = found[found.lastgroup or 0]
    if written.isdigit():
        return written
    return _WING.sub("", written).replace("单元", "-").replace("–", "-").upper()


def is_trap(plain: str, start: int, number: str) -> bool:
    """Whether a bare number is a year, a call for help, or what the words before it say: a price, an order's number."""
    if _YEAR.fullmatch(number) or number in _EMERGENCY_NUMBERS:
        return True
    return _BEFORE_TRAP.search(plain, max(0, start - 12), start) is not None


def floors(plain: str, words: Collection[str]) -> list[tuple[int, str]]:
    """The floors that a plain text names, with where: 3楼 is 3, 地下一层 B1, the ground floor G."""
    chinese = "楼" in plain or "层" in plain
    latin = not _FLOOR_WORDS.isdisjoint(words)
    if not (chinese or latin or "地下" in plain):
        return []
    found = [
        (each.start(), each[1])
        for each in (FLOOR_ZH.finditer(plain) if chinese else ())
        if each[1].strip("0") and not ("层" in each[0] and _COUNTED.search(plain, 0, each.start()))
    ]
    for each in FLOOR_EN.finditer(plain) if latin else ():
        value = next(filter(None, each.groups()))
        found.append((each.start(), _ORDINALS.get(value, value)))
    below = list(_BELOW.finditer(plain))
    if not below:
        return found
    around = {at for each in below for at in range(*each.span())}
    found = [(at, value) for at, value in found if at not in around]
    return found + [(each.start(), "G" if each[3] else f"B{each[1] or each[2] or 1}") for each in below]
