"""What a text loses before it leaves the house: ways to reach people, numbers that name them, names as far as known.

Texts of the log have lost contacts and the reporter's own name before (:mod:`~dispatch.agents.privacy`). This is the
second look, and a harder one: whoever reads the text needs the fault, not the number on a card.
"""

import re
import unicodedata
from typing import Final

from dispatch.agents.privacy import scrub

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    "陆汪范廖贾夏韦付邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔汤"
)
_TITLES = "老师|同学|先生|女士|师傅|阿姨|叔叔|教授|主任|经理|院长|处长|科长|博士|医生|护士"
_GIVEN = r"[\u4e00-\u9fff]{1,2}"
_ENGLISH = r"[A-Z][a-z'-]+(?: [A-Z][a-z'-]+){0,2}"
_NAMES: Final = (
    # who says who they are, or whom to ask for
    re.compile(
        rf"(?P<before>(?:我叫|本人叫|我的名字[叫是]|姓名|联系人|报修人|联络人)[:：是叫 ]{{0,2}})[{_SURNAMES}]{_GIVEN}"
    ),
    # a surname with a title; with a given name only where a name begins
    re.compile(rf"(?P<before>)[{_SURNAMES}](?=(?:{_TITLES}))"),
    re.compile(rf"(?P<before>(?:^|[\s,.;:!?，。；：！？、]|[找给跟和问请叫]))[{_SURNAMES}]{_GIVEN}(?=(?:{_TITLES}))"),
    re.compile(rf"(?P<before>(?<![A-Za-z])(?:Mr\.?|Mrs\.?|Ms\.?|Miss|Dr\.?|Prof\.?|Professor) ){_ENGLISH}"),
    re.compile(
        r"(?P<before>(?<![A-Za-z])(?:[Mm]y name is|[Ii] am called|[Nn]ame:|[Cc]ontact:?|[Aa]sk for) )" + _ENGLISH
    ),
)
_LABELLED = re.compile(
    r"(?P<before>(?:学号|工号|身份证号?码?|护照号?码?|一?卡通?号|(?<![A-Za-z])(?:[Ss]tudent|[Ss]taff|[Ee]mployee|[Pp]assport)"
    r"(?: (?:ID|id|[Nn]o\.?|[Nn]umber))?)(?: is)?[:：是为 ]{0,3})(?=[A-Za-z0-9-]*\d)[A-Za-z0-9-]{3,20}"
)
_LONG = re.compile(r"\d(?:[ -]?\d){5,}[Xx]?")
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·. ]?"
    r"(?=[A-Z0-9]*\d)[A-Z0-9]{5,6}(?![A-Za-z0-9])"
)
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")


def plain(text: str) -> str:
    """The text as people see it: compatible forms unified, nothing that is not shown, single spaces and lines."""
    text = unicodedata.normalize("NFKC", text)
    seen = "".join(each for each in text if each.isspace() or unicodedata.category(each) not in _UNSEEN)
    return _LINES.sub("\n", _SPACES.sub(" ", seen)).strip()


def mask(text: str) -> str:
    """The plain text without contacts (``[contact]``), names (``[name]``) and long or named numbers (``[number]``)."""
    text = scrub(plain(text))
    for pattern in _NAMES:
        text = pattern.sub(r"\g<before>[name]", text)
    text = _LABELLED.sub(r"\g<before>[number]", text)
    return _LONG.sub("[number]", _PLATE.sub("[number]", text))
