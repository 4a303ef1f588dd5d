"""The names of places as people write them, made comparable, and found in a text.

三号楼, 3号楼 and ３ 号楼 are one name; so are Dorm-3 and dorm 3.
"""

import re
from functools import lru_cache

from dispatch.rules.geometry import Point
from dispatch.rules.policy import AreaNode, Policy
from dispatch.rules.words import fold

NAMED_KINDS = frozenset({"campus", "zone", "building", "outdoor"})
"""The kinds of area that people name on their own; a floor or a room is only said inside a building."""

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_NUMERAL = re.compile("[零〇一二两三四五六七八九十百]+")
_GAP = re.compile(  # next to anything but a Latin letter or a digit; between a letter and a digit
    r"(?<=[^a-z0-9\s\-_])[\s\-_]+|[\s\-_]+(?=[^a-z0-9\s\-_])|(?<=[a-z])[\s\-_]+(?=\d)|(?<=\d)[\s\-_]+(?=[a-z])"
)
_SPACES = re.compile(r"[\s\-_]+")


def plain_name(text: str) -> str:
    """A name as it is compared: NFKC, casefolded, numerals as digits, spaces only between words."""
    digits = _NUMERAL.sub(_digits, fold(text))
    if _SPACES.search(digits) is None:
        return digits
    return _SPACES.sub(" ", _GAP.sub("", digits)).strip()


known_name = lru_cache(maxsize=4_096)(plain_name)
"""The same for what channels send as names, which are few: buildings and territories."""


class AreaNames:
    """The names of a policy's areas, by their first two characters for the scan of a text, longest first."""

    def __init__(self, policy: Policy) -> None:
        """Index all areas, territories and assets of ``policy``; use through ``policy.compiled(AreaNames)``."""
        self.by_name: dict[str, list[AreaNode]] = {}
        self.by_territory: dict[tuple[str, str | None], AreaNode] = {}
        """The first area of a name in a territory; under None the first in any."""
        for node in policy.areas.values():
            if node.kind in NAMED_KINDS:
                for name in {plain_name(each) for each in (node.name.zh, node.name.en, *node.aliases)}:
                    self.by_name.setdefault(name, []).append(node)
                    self.by_territory.setdefault((name, node.territory), node)
                    self.by_territory.setdefault((name, None), node)
        self.by_two: dict[str, list[str]] = {}
        for name in sorted(self.by_name, key=lambda each: (-len(each), each)):
            if len(name) > 1:  # one letter names nothing in a text
                self.by_two.setdefault(name[:2], []).append(name)
        self.firsts = frozenset(name[0] for name in self.by_two)
        self.territories = {
            plain_name(name): each.id
            for each in policy.territories.values()
            for name in (each.id, each.name.zh, each.name.en)
        }
        assets = {a.code.casefold(): a.area for each in policy.territories.values() for a in each.assets}
        self.assets = {code: area for code, area in assets.items() if not code.endswith("*")}
        self.prefixes = sorted(
            ((code[:-1], area) for code, area in assets.items() if code.endswith("*")),
            key=lambda pair: (-len(pair[0]), pair[0]),
        )
        self.within = {node.id: _within(policy, node) for node in policy.areas.values()}
        self.bounds: list[tuple[str, tuple[Point, ...]]] = [
            (each.id, each.bounds) for each in policy.territories.values() if each.bounds
        ]
        self.buildings: list[tuple[AreaNode, Point]] = [
            (node, (node.lat, node.lon))
            for node in policy.areas.values()
            if node.kind == "building" and node.own_position and node.lat is not None and node.lon is not None
        ]

    def asset(self, code: str) -> str | None:
        """The area of an asset code, by the code itself or its longest known prefix."""
        folded = code.casefold()
        found = self.assets.get(folded)
        if found is None:
            found = next((area for prefix, area in self.prefixes if folded.startswith(prefix)), None)
        return found

    def scan(self, text: str, territory: str | None) -> tuple[AreaNode, int] | None:
        """The area that a plain text names, and where the name ends: buildings first, then longer names."""
        best: tuple[tuple[bool, int], AreaNode, int] | None = None
        skip_to = 0
        firsts = self.firsts
        for at, char in enumerate(text):
            if char not in firsts or at < skip_to:
                continue
            for name in self.by_two.get(text[at : at + 2], ()):
                end = at + len(name)
                if not text.startswith(name, at) or _cuts_a_word(text, at, end):
                    continue
                node = self.by_territory.get((name, territory))
                if node is not None:
                    rank = (node.kind == "building", len(name))
                    if best is None or rank > best[0]:
                        best = (rank, node, end)
                    skip_to = end
                    break
        return (best[1], best[2]) if best else None


def _within(policy: Policy, node: AreaNode) -> tuple[str | None, str | None, str | None]:
    """The building that an area is in, or is itself, as an id, and its floor and room as they are named."""
    building = floor = room = None
    for area in reversed([policy.areas[each] for each in node.path]):
        if area.kind == "building":
            building = area.id
        elif area.kind == "floor":
            floor = area.name.en
        elif area.kind == "room":
            room = area.name.en
    return building, floor, room


def _digits(found: re.Match[str]) -> str:
    """A Chinese numeral as digits: 三 is 3, 十一 is 11, 一百零二 is 102, and 五一二 is 512."""
    word = found[0]
    if "十" not in word and "百" not in word:
        return "".join(str(_DIGITS[char]) for char in word)
    total, last = 0, 0
    for char in word:
        if char in _DIGITS:
            last = _DIGITS[char]
        else:
            unit = 10 if char == "十" else 100
            total += (last or 1) * unit
            last = 0
    return str(total + last)


def _cuts_a_word(text: str, start: int, end: int) -> bool:
    """Whether a name at this place is only part of a longer number or Latin word."""
    return (start > 0 and _same_word(text[start - 1], text[start])) or (
        end < len(text) and _same_word(text[end - 1], text[end])
    )


def _same_word(left: str, right: str) -> bool:
    if not (left.isascii() and right.isascii()):
        return False
    return (left.isdigit() and right.isdigit()) or (left.isalpha() and right.isalpha())
