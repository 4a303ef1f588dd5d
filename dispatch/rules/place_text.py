"""What a text says of where: the area it names, the floor, the room, the asset, and what of that is not clear."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from dispatch.rules.gazetteer import Gazetteer, is_article
from dispatch.rules.names import plain_text
from dispatch.rules.place_choice import Mention, choose
from dispatch.rules.place_inside import floor_and_room, overlaps
from dispatch.rules.policy import AreaNode
from dispatch.rules.room_words import NUMBER_WORDS, is_trap

CONTAINERS = frozenset({"campus", "zone"})

_MAYBE_A_NUMBER = re.compile(
    r"\d(?:\d\d|[a-f]?[号栋幢#楼层室诊房寝宿公/f-]|单元|座|[snrt][tdh]|[a-f](?![a-z0-9]))|地下|负\d"
)
_NUMBERED_ZH = re.compile(
    r"(\d{1,3}(?=[号栋幢#])|\d{1,2})(?:号楼|号?[栋幢](?!梁)|#楼|号?(?:宿舍|公寓)楼?(?!\d)|#(?=\d{3}))"
)
_NUMBERED_EN = re.compile(
    r"(?:dorm|dormitory|building|bldg|block|blk|tower)[\s.]*(?:no|number)?[\s.]*#?\s?(\d{1,3})(?![\da-z.]|-\d{4})"
)
_DASHED = re.compile(
    r"(?<![a-z0-9_.:/$¥#@-])(\d{1,3})(?:-|号(?=[1-9]\d\d))(?=(?:\d-)?[1-9]\d{2,3}[a-f]?(?![a-z0-9-]|[.:]\d))"
)
_NUMBER_MARKS = re.compile(r"\d[号栋幢#宿公]")
_HOUSE_WORDS = frozenset(("dorm", "dormitory", "building", "bldg", "block", "blk", "tower"))
_UNKNOWN_CAMPUS = re.compile(r"[东西南北中新老旧](?:校区|校园|区(?![域别间分]))")
_CUTS = {"教": "室师学练授材育研务程导", "舍": "友管监不", "食": "品物用欲材", "座": "位谈右机"}
"""What after the last character of a name makes another word of it: 一教 is no 一教室."""
_COUNTED = re.compile(r"[共有校这那几总]$|[一几数]共$")
_OF_A_BUILDING = frozenset("下上道顶梯门前后里内外大口边旁东西南北")
_PENCILS = frozenset("铅型号级班款版")
_SHORT = 2
_BESIDE = re.compile(r"[\s,、:()\[\]【】/>·-]*(?:的|里的?|内的?)?(?:campus)?[\s,]*")
_BESIDE_EN = re.compile(r"[\s,(]*(?:(?:in|at|on|of)\s)?(?:the\s)?")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a text tells of a place. ``elsewhere`` is what it names outside the territory that was asked for.

    ``notes`` are codes, some with the name in question after them.
    """

    area: AreaNode | None = None
    floor: str | None = None
    room: str | None = None
    asset: str | None = None
    elsewhere: AreaNode | None = None
    notes: tuple[str, ...] = ()


NOTHING = Told()


def read_place(names: Gazetteer, text: str, territory: str | None) -> Told:
    """Read ``text``, with the names of ``territory`` or, where it is None, of all. Any text is fine."""
    plain = plain_text(text)
    words = names.words(plain)
    numbers = _MAYBE_A_NUMBER.search(plain) is not None or not NUMBER_WORDS.isdisjoint(words)
    found = list(names.scan(plain, words))
    if not found and not numbers and names.code(plain, words) is None:
        return _NOWHERE_KNOWN if "区" in plain and _UNKNOWN_CAMPUS.search(plain) else NOTHING
    return _Reading(names, plain, words, territory, text, has_digits=numbers).told(found)


_NOWHERE_KNOWN = Told(notes=("unknown-campus",))


class _Reading:
    """One text that names something or has numbers in it."""

    def __init__(
        self, names: Gazetteer, plain: str, words: Sequence[str], territory: str | None, text: str, *, has_digits: bool
    ) -> None:
        self.names = names
        self.plain = plain
        self.words = words
        self.territory = territory
        self.text = text
        self.has_digits = has_digits
        self.notes: list[str] = []
        self.elsewhere: AreaNode | None = None
        self.asset: str | None = None

    def told(self, found: Iterable[tuple[int, int, str]]) -> Told:
        """Everything, in order: the asset, the places named, the one meant, and what is said of room and floor."""
        if code := self.names.code(self.plain, self.words):
            self.asset = code[0].upper()
            found = [each for each in found if not overlaps(each[:2], [code.span()])]
            self.plain = self.plain[: code.start()] + " " * len(code[0]) + self.plain[code.end() :]
        mentions = self._mentions(found)
        things: list[Mention] = []
        containers: list[Mention] = []
        for each in mentions:
            (containers if _is_container(each) else things).append(each)
        chosen = choose(self.plain, _innermost(things)) if things else []
        area, at = self._area(chosen, containers)
        floor = room = None
        if self.has_digits:
            floor, room = floor_and_room(
                self.plain, self.words, at, things, known=area is not None and area.kind not in CONTAINERS
            )
        if self.names.inside and area is not None and area.kind == "building" and (room or floor):
            area = self._deeper(area, room, floor)
            room = None if area.kind == "room" else room
        return Told(
            area=area, floor=floor, room=room, asset=self.asset, elsewhere=self.elsewhere, notes=tuple(self.notes)
        )

    # the places named --------------------------------------------------------------------------------------------

    def _mentions(self, found: Iterable[tuple[int, int, str]]) -> list[Mention]:
        """All places that the text names, none inside another, in order."""
        mentions = [
            Mention(start, end, name, self.names.named(name))
            for start, end, name in found
            if not self._reads_otherwise(start, end, name)
        ]
        if self.has_digits:
            mentions += self._numbered(mentions)
        if "区" in self.plain or "校园" in self.plain:
            mentions += [Mention(*each.span(), each[0], ()) for each in _UNKNOWN_CAMPUS.finditer(self.plain)]
        if len(mentions) < 2:  # noqa: PLR2004 -- nothing to be inside of
            return mentions
        apart: list[Mention] = []
        for each in sorted(mentions, key=lambda one: (one.start, one.start - one.end, not one.nodes)):
            if not apart or each.start >= apart[-1].end:
                apart.append(each)
            elif each.nodes and not apart[-1].nodes and each.end > apart[-1].start:
                apart[-1] = each
        return apart

    def _reads_otherwise(self, start: int, end: int, name: str) -> bool:
        """Whether a name at this place is part of another word: 一教室, 6B铅笔, 共3栋楼, building a shelf."""
        after = self.plain[end : end + 1]
        if after and (after in _CUTS.get(name[-1], "") or (len(name) <= _SHORT and after in _PENCILS)):
            return True
        if name[-1] in "栋幢" and name[0].isdigit():
            beyond = self.plain[end + 1 : end + 2]
            counts = _COUNTED.search(self.plain, max(0, start - 2), start) is not None
            return counts or (after == "楼" and beyond not in _OF_A_BUILDING)
        return name.endswith(" a") and is_article(self.plain, end, name)

    def _numbered(self, known: Sequence[Mention]) -> list[Mention]:
        """Buildings by a number that no name spells out like this: 12#, 3幢, Bldg 3; and those that do not exist."""
        plain, spans = self.plain, [(each.start, each.end) for each in known]
        numbered = self.names.numbered
        matches = list(_NUMBERED_ZH.finditer(plain)) if _NUMBER_MARKS.search(plain) else []
        if not _HOUSE_WORDS.isdisjoint(self.words):
            matches += _NUMBERED_EN.finditer(plain)
        found = []
        for each in matches:
            start, end = each.span()
            apart = not spans or not overlaps((start, end), spans)
            if apart and not _in_a_word(plain, start) and not self._reads_otherwise(start, end, each[0]):
                found.append(Mention(start, end, each[0], numbered.get(each[1], ())))
        for each in _DASHED.finditer(plain) if "-" in plain or "号" in plain else ():
            nodes = numbered.get(each[1], ())
            if nodes and not overlaps(each.span(), spans) and not is_trap(plain, each.start(), each[1]):
                found.append(Mention(*each.span(), each[0].rstrip("-"), nodes))
        return found

    # the one meant -----------------------------------------------------------------------------------------------

    def _area(self, chosen: list[Mention], containers: list[Mention]) -> tuple[AreaNode | None, Mention | None]:
        """The area meant, and the mention after which its room stands."""
        first = chosen[0] if chosen else None
        if self.asset is not None and (area_id := self.names.asset(self.asset)):
            node = self.names.areas[area_id]
            if first and all(each.id not in node.path and node.id not in each.path for each in first.nodes):
                self.notes.append(f"asset-elsewhere: {self.asset}")
                return node, None
            return node, first
        if first is None:
            return self._container(containers), None
        if len(chosen) > 1:
            self.notes.append("several-places: " + ", ".join(each.name for each in chosen))
            several = [node for each in chosen for node in self._candidates(each, containers)[:1]]
            return (self._common(several) if several else None), None
        return self._one(first, containers), first

    def _one(self, mention: Mention, containers: list[Mention]) -> AreaNode | None:
        """What the one mention is; where that is open, the campus around it."""
        nodes = self._candidates(mention, containers)
        if len(nodes) == 1:
            return nodes[0]
        if nodes:
            self.notes.append(f"ambiguous-place: {mention.name}")
            return self._common(nodes) or self._container(containers)
        self._say_unknown(mention)
        return self._container(containers)

    def _say_unknown(self, mention: Mention) -> None:
        if not mention.nodes:
            self.notes.append(f"unknown-building: {mention.name}")
        elif self.elsewhere is None:
            self.notes.append(f"not-in-that-campus: {mention.name}")

    def _candidates(self, mention: Mention, containers: Sequence[Mention]) -> list[AreaNode]:
        """What a mention may be, by the territory asked for and by the campus named beside it, or else anywhere."""
        nodes = list(mention.nodes)
        if self.territory is not None and nodes:
            nodes = [each for each in nodes if each.territory == self.territory]
            if not nodes:
                self.elsewhere = mention.nodes[0]
        beside = [each for each in containers if self._is_beside(each, mention)]
        for each in beside:
            nodes = _within(nodes, each)
        if len(nodes) > 1 and not beside:
            for each in containers:
                nodes = _within(nodes, each) or nodes
        return nodes

    def _is_beside(self, container: Mention, mention: Mention) -> bool:
        if container.end <= mention.start:
            return _BESIDE.fullmatch(self.plain, container.end, mention.start) is not None
        return _BESIDE_EN.fullmatch(self.plain, mention.end, container.start) is not None

    def _container(self, containers: list[Mention]) -> AreaNode | None:
        """The campus or zone named, where no building is."""
        known = [each for each in containers if each.nodes]
        if len(known) < len(containers):
            self.notes.append("unknown-campus")
        if not known:
            return None
        node = self._deepest(choose(self.plain, known))
        if self.territory is not None and node.territory != self.territory:
            self.elsewhere = node
            return None
        return node

    def _deepest(self, mentions: list[Mention]) -> AreaNode:
        return max((node for each in mentions for node in each.nodes), key=lambda node: len(node.path))

    def _common(self, nodes: Sequence[AreaNode]) -> AreaNode | None:
        """The smallest area around all of them; None across territories."""
        shared = None
        for level in zip(*(node.path for node in nodes), strict=False):
            if len(set(level)) > 1:
                break
            shared = level[0]
        return self.names.areas[shared] if shared else None

    def _deeper(self, area: AreaNode, room: str | None, floor: str | None) -> AreaNode:
        """The room or floor of a building as the policy has it, if it does."""
        inside = self.names.inside
        found = inside.get((area.id, room.casefold())) if room else None
        return found or (inside.get((area.id, floor.casefold())) if floor else None) or area


def _innermost(things: list[Mention]) -> list[Mention]:
    """Without the building of a room that is named too, and rooms of that name in other buildings."""
    rooms = [each for each in things if each.nodes and each.nodes[0].kind == "room"]
    if not rooms:
        return things
    named = {node.id for each in things for node in each.nodes if node.kind == "building"}
    found, around = [], set()
    for each in rooms:
        inside = tuple(node for node in each.nodes if not named.isdisjoint(node.path))
        around |= {area for node in inside for area in node.path}
        found.append(each._replace(nodes=inside or each.nodes))
    found += [each for each in things if each not in rooms and not any(node.id in around for node in each.nodes)]
    return sorted(found)


def _is_container(mention: Mention) -> bool:
    if not mention.nodes:
        return mention.name[-1:] in "区园"
    return mention.nodes[0].kind in CONTAINERS


def _within(nodes: list[AreaNode], container: Mention) -> list[AreaNode]:
    around = {node.id for node in container.nodes}
    return [each for each in nodes if not around.isdisjoint(each.path)]


def _in_a_word(plain: str, start: int) -> bool:
    """Whether what begins here goes on a number or a Latin word: 13号楼 is no 3号楼, 2021-3 no 3."""
    before = plain[start - 1] if start else " "
    return before in "0123456789.:/-" or (before.isascii() and before.isalpha())
