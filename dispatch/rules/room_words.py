"""How rooms and floors are written in a plain text, and which numbers only look like one.

Patterns are for :func:`~dispatch.rules.names.plain_text`: lower case, numerals as digits.
"""

import re

_UNITS = (  # what makes a count, a price or a time of the number before it: 305块, 8点, 402人, 1500 w
    r"(?! (?:元|块钱|小时|分钟|米|度|人|个|次)|(?:元|块(?!地)|角|钱|个|小时|人|次(?!卧)|天(?!花|台|窗|线)|年|月|日(?!光)|点(?!不|灯)|时|分|秒|钟|米|寸|度|级|届"
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
    rf"{_SEP}(?:{_FLOOR}{_SEP})?(?:(?:{_MARK_ZH}|{_MARK_EN}|\#\s?|号)(?P<marked>{_MARKED})|(?P<plain>{_PLAIN}))"
)
"""A room right after the name of its building: 3栋402, Dorm 3, room 402, 3号楼4楼的402."""

BEFORE = re.compile(
    rf"(?:{_MARK_EN}(?P<marked>{_MARKED})|(?<![a-z0-9_.:/$¥#-])(?P<plain>{_PLAIN}))(?:\s|,|@|-|in\b|at\b|of\b|on\b|the\b)*$"
)
"""A room right before the name of its building: room 402 in dorm 3, 402 Dorm 3."""

_NUMBERS = r"学号|工号|编号|单号|号码|尾号|卡号|账号|电话|手机|致电|拨打|密码|代码|错误|报错|型号|房租|价格?|费用?|费|花了|交了"
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
FLOOR = re.compile(
    r"(?<![\d.#到至~、和与及-])第?(\d{1,2})(?:楼(?![号栋]|[到至~、和与及-]\d)|层(?!楼|[到至~、和与及-]\d))"
    r"|第(\d{1,2})层楼|(?<![a-z\d])(\d{1,2})(?:st|nd|rd|th)?[\s-]floor|(?<!\d)(\d{1,2})/?f(?![a-z\d])"
    r"|(?<![a-z])(?:floor|level)\s?(\d{1,2})(?![\d.:]| ?(?:m|metres?|meters?|feet|ft|cm|days?|times|hours?)(?![a-z]))|(?<![a-z])(" + "|".join(_ORDINALS) + r")[\s-]floor"
)
_COUNTED = re.compile(r"[有共约这那]$")
BELOW = re.compile(r"(?:地下|负|b)(?:(\d)(?:楼|层))|(?<![a-z])b(\d)\s?floor|地下(?:室|车库)|(?<![a-z])basement(?![a-z])")
GROUND = re.compile(r"(?<![a-z])ground[\s-]floor")

_YEAR = re.compile(r"(?:19|20)\d\d")
_EMERGENCY_NUMBERS = frozenset({"110", "119", "120", "122"})
_WING = re.compile(r"(?<=^[a-z])(?:座|区|-)")


def room_name(written: str) -> str:
    """A room as it is kept: B座1103 and b-1103 are B1103, 2单元501 is 2-501."""
    return _WING.sub("", written).replace("单元", "-").replace("–", "-").upper()


def room_of(found: re.Match[str] | None) -> str | None:
    """The room that a pattern of this module has found."""
    if found is None:
        return None
    return next((room_name(value) for name, value in found.groupdict().items() if value and "floor" not in name), None)


def is_trap(plain: str, start: int, number: str) -> bool:
    """Whether a bare number is a year, a call for help, or what the words before it say: a price, an order's number."""
    if _YEAR.fullmatch(number) or number in _EMERGENCY_NUMBERS:
        return True
    return _BEFORE_TRAP.search(plain, max(0, start - 12), start) is not None


def floors(plain: str, start: int = 0, end: int = 4_000) -> list[tuple[int, str]]:
    """The floors that a stretch of a plain text names, with where; 3楼 is 3, 地下一层 is B1, the ground floor is G."""
    found = [
        (each.start(), _ORDINALS.get(value, value))
        for each in FLOOR.finditer(plain, start, end)
        if not (_COUNTED.search(plain, 0, each.start()) and "层" in each[0]) and (value := _first(each))
    ]
    found = [(at, value) for at, value in found if value.strip("0")]
    found += [(each.start(), f"B{_first(each) or 1}") for each in BELOW.finditer(plain, start, end)]
    found += [(each.start(), "G") for each in GROUND.finditer(plain, start, end)]
    below = {at + offset for at, value in found if value.startswith("B") for offset in range(4)}
    return sorted((at, value) for at, value in found if value.startswith("B") or at not in below)


def _first(found: re.Match[str]) -> str | None:
    return next(filter(None, found.groups()), None)
