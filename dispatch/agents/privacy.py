"""What keeps people out of the log: texts without ways to reach them, and subject ids that lead nowhere."""

import os
import re

import msgspec

from dispatch.models.people import PersonRef
from dispatch.models.requests import given

_CONTACT = re.compile(
    r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)|(?<!\d)0\d{2,3}[- ]?\d{7,8}(?!\d)"
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"
)


_FOUR_DIGITS = re.compile(r"\d{4}")
_encode = msgspec.json.Encoder().encode


def scrub(text: str, name: str | None = None) -> str:
    """The text without telephone numbers and e-mail addresses, and without the reporter's own name."""
    if _may_hold_contact(text):
        text = _CONTACT.sub("[contact]", text)
    return text.replace(name, "[name]") if name and len(name) > 1 else text


def person_details(person: PersonRef, said: str) -> bytes:
    """What the people store keeps of a reporter: as the channel named them, and numbers found in what they said."""
    details = given(person)
    if _may_hold_contact(said) and (contacts := _CONTACT.findall(said)):
        details["contacts_in_text"] = contacts
    return _encode(details)


def new_subject() -> str:
    """An id that leads nowhere but into the people store."""
    return f"s{os.urandom(10).hex()}"


def _may_hold_contact(text: str) -> bool:
    """Every address has an @ and every number four digits in a row; most texts have neither, and looking is cheap."""
    return "@" in text or _FOUR_DIGITS.search(text) is not None
