"""The names of places as people write them, made comparable.

三号楼, 3号楼, 三號樓 and ３ 号楼 are one name; so are Dorm-3 and dorm 3.
"""

import re
from functools import lru_cache

from dispatch.rules.words import fold

NAMED_KINDS = frozenset({"campus", "zone", "building", "outdoor"})
"""The kinds of area that people name on their own; a floor or a room is only said inside a building."""

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "幺": 1}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_NUMERAL = re.compile("[零〇一二两三四五六七八九十百千幺]+")
_RANGE_UNITS = frozenset("楼层栋号天个次点年月周")
"""After these 一二 is one or two of them, not twelve."""
_GAP = re.compile(  # next to anything but a Latin letter or a digit; between a letter and a digit
    r"(?<=[^a-z0-9\s\-_])[\s\-_]+|[\s\-_]+(?=[^a-z0-9\s\-_])|(?<=[a-z])[\s\-_]+(?=\d)|(?<=\d)[\s\-_]+(?=[a-z])"
)
_SPACES = re.compile(r"[\s\-_]+")
_TRADITIONAL = (
    "號樓棟層廳館圖書學區寢實驗體醫門東後廁間單員務園場點鏡籃網師機電辦餐飲處幾個裡裏邊對舊產樹橋運動練習訓會議課"
    "頂車庫廣講臺燈漏壞說從來沒這現沖熱還與給時報請們聯絡繫絡話碼陽閱覽療診衛備護廊階梯試購專頭側兩週剛過為萬園荷環誌敎"
)
_SIMPLIFIED = (
    "号楼栋层厅馆图书学区寝实验体医门东后厕间单员务园场点镜篮网师机电办餐饮处几个里里边对旧产树桥运动练习训会议课"
    "顶车库广讲台灯漏坏说从来没这现冲热还与给时报请们联络系络话码阳阅览疗诊卫备护廊阶梯试购专头侧两周刚过为万园荷环志教"
)
_TO_SIMPLIFIED = {ord(old): new for old, new in zip(_TRADITIONAL, _SIMPLIFIED, strict=True) if old != new}
_ONLY_TRADITIONAL = frozenset(map(chr, _TO_SIMPLIFIED))


def plain_text(text: str) -> str:
    """A text as it is searched for places: NFKC, casefolded, simplified characters of places, numerals as digits."""
    plain = fold(text)
    if plain.isascii():
        return plain
    if not _ONLY_TRADITIONAL.isdisjoint(plain):
        plain = plain.translate(_TO_SIMPLIFIED)
    return _NUMERAL.sub(_digits, plain)


def plain_name(text: str) -> str:
    """A name as it is compared: a plain text with spaces only between words."""
    digits = plain_text(text)
    if _SPACES.search(digits) is None:
        return digits
    return _SPACES.sub(" ", _GAP.sub("", digits)).strip()


known_name = lru_cache(maxsize=4_096)(plain_name)
"""The same for what channels send as names, which are few: buildings and territories."""


def _digits(found: re.Match[str]) -> str:
    """A Chinese numeral as digits: 三 is 3, 十一 is 11, 一百零二 is 102, 五一二 is 512; 一二楼 stays, it is two."""
    word = found[0]
    if len(word) == 1:
        return _ONE_DIGIT[word]
    if _UNITS.keys().isdisjoint(word):
        values = [_DIGITS[char] for char in word]
        after = found.string[found.end() : found.end() + 1]
        if len(values) == 2 and values[1] == values[0] + 1 and after in _RANGE_UNITS:  # noqa: PLR2004 - a pair
            return word
        return "".join(map(str, values))
    total, last = 0, 0
    for char in word:
        if char in _DIGITS:
            last = _DIGITS[char]
        else:
            total += (last or 1) * _UNITS[char]
            last = 0
    return str(total + last)


_ONE_DIGIT = {char: str(value) for char, value in (_DIGITS | _UNITS).items()}
