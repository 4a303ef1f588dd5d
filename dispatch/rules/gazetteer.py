"""The places of a policy by all that they are called, compiled to be found in a text."""

import re
from collections.abc import Iterable, Iterator

from dispatch.rules.geometry import Point
from dispatch.rules.names import NAMED_KINDS, known_name, plain_name
from dispatch.rules.policy import AreaNode, Policy

_NUMBERED = re.compile(
    r"(?:宿舍|公寓)?(?P<zh>\d{1,3})(?:号楼|号?栋|号?幢|号?宿舍楼?|号?公寓楼?|号?舍|号|#楼?)(?P<wing>[a-z]座)?"
    r"|(?:[a-z]+ )?(?:dorm|dormitory|building|block|hall|house|residence|tower)(?: ?no\.?)?(?P<en>\d{1,3})"
)
_WORDS = re.compile("[a-z]+")
_GOES_ON = re.compile(r"\s+(?!room|rm|door|is|has|lift|roof|no|floor|lobby|hall)[a-z]")
_NUMBER_WORDS = ("", *"one two three four five six seven eight nine ten eleven twelve".split())  # noqa: SIM905 -- short
_NUMBER_AT_END = re.compile(r"([a-z .]*[a-z]) ?([1-9]|1[0-2])")
_MIN_ROOM_NAME = 2

Found = tuple[int, int, str]
"""Where in a text a name begins and ends, and the name."""


class Gazetteer:
    """The names of a policy's areas and assets; use through ``policy.compiled(Gazetteer)``.

    ``by_name`` has every area of a plain name; ``numbered`` every building that goes by a number (3号楼, Dorm 3), the
    towers of a building with wings (6号楼A座) together; ``inside`` the floors and rooms of a building by name.
    """

    def __init__(self, policy: Policy) -> None:
        """Index all areas, territories and assets of ``policy``."""
        self.by_name: dict[str, tuple[AreaNode, ...]] = {}
        self.numbered: dict[str, tuple[AreaNode, ...]] = {}
        self.inside: dict[tuple[str, str], AreaNode] = {}
        self.areas = policy.areas
        self.within = {node.id: _within(policy, node) for node in policy.areas.values()}
        for node in policy.areas.values():
            names = [plain_name(each).removeprefix("the ") for each in (node.name.zh, node.name.en, *node.aliases)]
            for name in dict.fromkeys((*names, *(other for each in names for other in _variants(each)))):
                self._add(node, name)
        self.territories = {
            plain_name(name): each.id
            for each in policy.territories.values()
            for name in (each.id, each.name.zh, each.name.en)
        }
        self._index_assets(policy)
        self._search, self._latin, self._latin_words = _searches(self.by_name)
        self.bounds: list[tuple[str, tuple[Point, ...]]] = [
            (each.id, each.bounds) for each in policy.territories.values() if each.bounds
        ]
        self.buildings: list[tuple[AreaNode, Point]] = [
            (node, (node.lat, node.lon))
            for node in policy.areas.values()
            if node.kind == "building" and node.own_position and node.lat is not None and node.lon is not None
        ]

    def _add(self, node: AreaNode, name: str) -> None:
        building = self.within[node.id][0]
        if node.kind in NAMED_KINDS or (node.kind == "room" and len(name) >= _MIN_ROOM_NAME and not name.isdigit()):
            self.by_name[name] = (*self.by_name.get(name, ()), node)
        if node.kind == "building" and (found := _NUMBERED.fullmatch(name)):
            number = found["zh"] or found["en"]
            known = self.numbered.get(number, ())
            if node not in known:
                self.numbered[number] = (*known, node)
        if node.kind in {"floor", "room"} and building is not None:
            short = name.rstrip("楼层室f") if node.kind == "floor" else name.rstrip("室")
            self.inside.setdefault((building, short), node)

    def _index_assets(self, policy: Policy) -> None:
        assets = {a.code.casefold(): a.area for each in policy.territories.values() for a in each.assets}
        self.assets = {code: area for code, area in assets.items() if not code.endswith("*")}
        self.prefixes = sorted(
            ((code[:-1], area) for code, area in assets.items() if code.endswith("*")),
            key=lambda pair: (-len(pair[0]), pair[0]),
        )
        codes = [f"{re.escape(code)}[a-z0-9-]*[a-z0-9]" for code, _ in self.prefixes]
        codes += map(re.escape, sorted(self.assets, key=lambda code: (-len(code), code)))
        self._codes = re.compile(rf"(?<![a-z0-9-])(?:{'|'.join(codes) or '(?!)'})(?![a-z0-9]|-[a-z0-9])")
        self._code_words = frozenset(
            words[0] for code in (*self.assets, *(code for code, _ in self.prefixes)) if (words := _WORDS.findall(code))
        )

    def asset(self, code: str) -> str | None:
        """The area of an asset code, by the code itself or its longest known prefix."""
        folded = code.casefold()
        found = self.assets.get(folded)
        if found is None:
            found = next((area for prefix, area in self.prefixes if folded.startswith(prefix)), None)
        return found

    def named(self, found: str) -> tuple[AreaNode, ...]:
        """The areas of a name as it stands in a plain text."""
        return self.by_name.get(found) or self.by_name.get(known_name(found), ())

    def words(self, plain: str) -> list[str]:
        """The Latin words of a plain text, by which it is judged whether looking for Latin names is worth it."""
        return _WORDS.findall(plain)

    def code(self, plain: str, words: Iterable[str]) -> re.Match[str] | None:
        """The first asset code that a plain text has."""
        return None if self._code_words.isdisjoint(words) else self._codes.search(plain)

    def scan(self, plain: str, words: Iterable[str]) -> Iterator[Found]:
        """The names that a plain text has, the longest at each place; those of Latin letters after the others."""
        yield from _matches(self._search, plain)
        if not self._latin_words.isdisjoint(words):
            yield from _matches(self._latin, plain)


def is_article(plain: str, end: int, name: str) -> bool:
    """Whether the letter at the end of a name (Building A) reads as an article here: building a shelf."""
    return name.endswith(" a") and _GOES_ON.match(plain, end) is not None


def _variants(name: str) -> Iterator[str]:
    """What people make of an English name: Dormitory Four of Dormitory 4, Bldg A of Building A."""
    if found := _NUMBER_AT_END.fullmatch(name):
        yield f"{found[1].strip()} {_NUMBER_WORDS[int(found[2])]}"
    for long, short in (("building ", "bldg "), ("building ", "bldg. "), ("block ", "blk ")):
        if name.startswith(long):
            yield plain_name(short + name.removeprefix(long))


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


def _matches(search: re.Pattern[str], plain: str) -> Iterator[Found]:
    at = 0
    while found := search.search(plain, at):
        start, at = found.span()
        if start and _same_word(plain[start - 1], plain[start]):
            at = start + 1
        else:
            yield start, at, found[0]


def _same_word(left: str, right: str) -> bool:
    """Whether two characters are of one number or one Latin word."""
    if not (left.isascii() and right.isascii()):
        return False
    return (left.isdigit() and right.isdigit()) or (left.isalpha() and right.isalpha())


def _searches(names: Iterable[str]) -> tuple[re.Pattern[str], re.Pattern[str], frozenset[str]]:
    """Patterns of the names that begin otherwise and of those with a Latin letter, and the first words of these."""
    known = [name for name in names if len(name) > 1]  # one letter names nothing in a text
    latin = [name for name in known if "a" <= name[0] <= "z"]
    others = [name for name in known if not "a" <= name[0] <= "z"]
    return _pattern(others), _pattern(latin), frozenset(_WORDS.match(name)[0] for name in latin)  # type: ignore[index]


_Tree = dict[str, "_Tree"]


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    tree: _Tree = {}
    for name in names:
        at = tree
        for char in name:
            at = at.setdefault(char, {})
        at[""] = {}
    return re.compile(_branches(tree, "") if tree else "(?!)")


def _branches(tree: _Tree, before: str) -> str:
    """The names below a node of the tree, the longer ones first."""
    found = [
        (_gap(before, char) + (r"[\s\-_]+" if char == " " else re.escape(char)) + _branches(below, char))
        for char, below in tree.items()
        if char
    ]
    if "" in tree:
        found.append(r"(?!\d)" if before.isdigit() else "(?![a-z])" if before.isascii() and before.isalpha() else "")
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def _gap(left: str, right: str) -> str:
    """What may stand between two characters of a name that is plain."""
    if not left or " " in {left, right}:
        return ""
    if left.isascii() and right.isascii() and left.isalnum() and right.isalnum():
        return "" if left.isdigit() is right.isdigit() else r"[\s\-_]*"
    return r"[\s\-_]*"
