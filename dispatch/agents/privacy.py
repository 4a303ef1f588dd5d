"""What keeps people out of the log: texts without ways to reach them, and subject ids that lead nowhere."""

import os
import re

import msgspec

from dispatch.models.people import CONTACT_MASK, NAME_MASK, PersonRef
from dispatch.models.requests import given

_BASE = (
    r"(?<!\d)(?:(?:\+|00)?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)"
    r"|(?<!\d)(?:0\d{2,3}[- ]?|\(0\d{2,3}\) ?)\d{3,4}[- ]?\d{4}(?!\d)"
    r"|(?<!\d)\+\d(?:[ .()-]{0,2}\d){7,14}(?!\d)"
)
_BEFORE_EXTENSION = r"(?: ?[转x]|,? ?(?:分机|[Ee]xt(?:ension)?\.?)) ?"
_NUMBER = re.compile(rf"(?P<number>{_BASE})(?:{_BEFORE_EXTENSION}(?P<extension>\d{{1,6}})(?!\d))?")
"""A number that can be called from anywhere: of a Chinese mobile or landline, or international."""

_SPOKEN = re.compile("[幺一][三四五六七八九][零〇幺一二三四五六七八九]{9}")
_SHORT = (  # only with a word before it that says so
    r"(?:电话|手机|致电|回电|(?<![A-Za-z])(?:[Tt]el|[Pp]hone|[Mm]obile|[Cc]all(?: me)?|[Rr]ing(?: me)?|[Cc]allback))"
    r"(?:号码?|号|机| number| no)?(?: is| at| on|[是为:.：])*\s*\d{3,4}[ -]?\d{3,4}(?:[ -]?\d{3,4})?(?!\d)"
    r"|(?:分机|内线|(?<![A-Za-z])[Ee]xt(?:ension|\.)?)号?[:： ]{0,2}\d{3,6}(?!\d)"
)
_ACCOUNT = (
    r"(?:微信|薇信|(?<![A-Za-z])(?:[Ww]e[Cc]hat|WECHAT|[Ww]eixin|[Vv][Xx]|[Ww][Xx]))(?: ?[Ii][Dd])?号?[:：是为 ]{0,3}"
    r"(?:[A-Za-z][A-Za-z0-9_-]{5,19}|\d{6,11})(?![A-Za-z0-9_-])"
    r"|(?<![A-Za-z])[Qq][Qq]号?[:：是为 ]{0,3}[1-9]\d{4,11}(?!\d)"
)
_CONTACT = re.compile(
    rf"(?:{_BASE})(?:{_BEFORE_EXTENSION}\d{{1,6}}(?!\d))?|[\w.+-]{{1,64}}@[\w-]+\.[\w.-]+|{_SPOKEN.pattern}|{_SHORT}|{_ACCOUNT}"
)
_MAYBE_A_CONTACT = re.compile(  # begins with one set of characters, between which the search need not stop
    r"[\d幺一微薇分内WwVvQqEe](?:(?<=\d)(?:\d{3}|\d\d[ -]\d{3})|(?<=[幺一])[三四五六七八九][零〇幺一二三四五六七八九]"
    "|(?<=[微薇])信|(?<=分)机|(?<=内)线|(?<=[Ww])(?:e[Cc]hat|eixin|[Xx])|(?<=W)ECHAT|(?<=[Vv])[Xx]|(?<=[Qq])[Qq]|(?<=[Ee])xt)"
)
_BETWEEN_DIGITS = re.compile(r"[ .()-]")
_SPOKEN_DIGITS = str.maketrans("零〇幺一二三四五六七八九", "001123456789")
_encode = msgspec.json.Encoder().encode


def scrub(text: str, name: str | None = None) -> str:
    """The text without ways to reach somebody (numbers, addresses, accounts), and without the reporter's own name."""
    if _may_hold_contact(text):
        text = _CONTACT.sub(CONTACT_MASK, text)
    return text.replace(name, NAME_MASK) if name and len(name) > 1 else text


def person_details(person: PersonRef, said: str) -> bytes:
    """What the people store keeps of a reporter: as the channel named them, and the contacts found in what they said.

    The first number that can be called is theirs (``phone``, with ``phone_extension``) if the channel gave none.
    """
    details = given(person)
    if _may_hold_contact(said) and (contacts := _CONTACT.findall(said)):
        details["contacts_in_text"] = contacts
        if not details.get("phone") and not details.get("email"):
            details |= _callback(said)
    return _encode(details)


def _callback(said: str) -> dict[str, str]:
    """The number to call back, without what people put between digits; nothing if no number can be called."""
    if (spoken := _SPOKEN.search(said)) is not None:
        return {"phone": spoken[0].translate(_SPOKEN_DIGITS)}
    found = _NUMBER.search(said)
    if found is None:
        return {}
    phone = {"phone": _BETWEEN_DIGITS.sub("", found["number"])}
    return phone | {"phone_extension": found["extension"]} if found["extension"] else phone


def new_subject() -> str:
    """An id that leads nowhere but into the people store."""
    return f"s{os.urandom(10).hex()}"


def _may_hold_contact(text: str) -> bool:
    """Whether a look is worth it: most texts have neither an @ nor many digits in a row nor the name of a service."""
    return "@" in text or "+" in text or _MAYBE_A_CONTACT.search(text) is not None
