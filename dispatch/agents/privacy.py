"""What keeps people out of the log: texts without ways to reach them, and subject ids that lead nowhere."""

import re
import uuid

import msgspec

from dispatch.models.people import PersonRef

_CONTACT = re.compile(
    r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)|(?<!\d)0\d{2,3}[- ]?\d{7,8}(?!\d)"
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"
)


def scrub(text: str, name: str | None = None) -> str:
    """The text without telephone numbers and e-mail addresses, and without the reporter's own name."""
    text = _CONTACT.sub("[contact]", text)
    return text.replace(name, "[name]") if name and len(name) > 1 else text


def person_details(person: PersonRef, said: str) -> bytes:
    """What the people store keeps of a reporter: as the channel named them, and numbers found in what they said."""
    details = person.model_dump(mode="json", exclude_none=True)
    if contacts := _CONTACT.findall(said):
        details["contacts_in_text"] = contacts
    return msgspec.json.encode(details)


def new_subject() -> str:
    """An id that leads nowhere but into the people store."""
    return f"s{uuid.uuid4().hex[:20]}"
