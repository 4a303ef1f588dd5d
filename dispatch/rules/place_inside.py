"""The floor and the room that a plain text says along with the place that it is about."""

import re
from collections.abc import Collection, Iterable, Sequence

from dispatch.rules.place_choice import Mention
from dispatch.rules.room_words import AFTER, ANYWHERE, BARE, BEFORE, NUMBER_WORDS, floors, is_trap, room_of

_Span = tuple[int, int]

_MAYBE_A_ROOM = re.compile(r"\d(?:\d\d|[a-f]?[室诊房病寝包-]|单元|[a-f](?![a-z0-9]))")
_LOOK_BACK = 40


def floor_and_room(
    plain: str, words: Collection[str], at: Mention | None, things: Sequence[Mention], *, known: bool
) -> tuple[str | None, str | None]:
    """The floor and the room, as near to the place meant (``at``) as they stand; not those of the other ``things``.

    ``known`` says that the building is, so that a number on its own may be a room.
    """
    if _MAYBE_A_ROOM.search(plain) is None and NUMBER_WORDS.isdisjoint(words):
        return _floor(plain, words, at, None, things), None
    others = [each for one in things if one is not at and (each := AFTER.match(plain, one.end)) and room_of(each)]
    taken = [each.span() for each in others]
    after = _after(plain, at) if at else None
    room = room_of(after)
    if room is None and at is not None:
        before = BEFORE.search(plain, max(0, at.start - _LOOK_BACK), at.start)
        if before and not overlaps(before.span(), taken) and not _is_year(before):
            room = room_of(before)
    if room is None:
        room = _room_anywhere(plain, [*taken, *((each.start, each.end) for each in things)], known=known)
    return _floor(plain, words, at, after, things), room


def overlaps(span: _Span, others: Iterable[_Span]) -> bool:
    """Whether a stretch of text has a part in common with any of others."""
    return any(start < span[1] and span[0] < end for start, end in others)


def _after(plain: str, at: Mention) -> re.Match[str] | None:
    """What stands right after the place; a number that is a price or a year after a comma is none of it."""
    after = AFTER.match(plain, at.end)
    if after is not None and after["plain"]:
        start = after.start("plain")
        if plain[at.end : start].strip() and is_trap(plain, start, after["plain"]):
            return None
    return after


def _room_anywhere(plain: str, spans: Sequence[_Span], *, known: bool) -> str | None:
    for each in ANYWHERE.finditer(plain):
        if not overlaps(each.span(), spans) and not is_trap(plain, each.start(), ""):
            return room_of(each)
    if not known:
        return None
    for each in BARE.finditer(plain):
        if not overlaps(each.span(), spans) and not is_trap(plain, each.start(), each["plain"]):
            return room_of(each)
    return None


def _floor(
    plain: str, words: Collection[str], at: Mention | None, after: re.Match[str] | None, things: Sequence[Mention]
) -> str | None:
    """The floor said right after the building, or else the only one that is said of this building or before it."""
    if after is not None and (said := after["floor"] or after["floor_en"]):
        return said
    found = floors(plain, words)
    if not found:
        return None
    start = at.end if at else 0
    end = min((each.start for each in things if each.start >= start), default=len(plain))
    values = {value for where, value in found if start <= where < end}
    if not values and at is not None:
        start = max((each.end for each in things if each.end <= at.start), default=0)
        values = {value for where, value in found if start <= where < at.start}
    return values.pop() if len(values) == 1 else None


def _is_year(found: re.Match[str]) -> bool:
    return bool(found["plain"]) and is_trap(found.string, found.start("plain"), found["plain"])
