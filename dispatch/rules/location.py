"""Where a report is from: what a channel knows, resolved to a territory and as deep an area as can be said.

In this order: the area's id, the asset's code, the building's name, coordinates, names in the text, the
territory named, and else the default territory, marked as such. What a sender got wrong is noted, and the next
best is used; only an unknown territory named outright is refused, because nothing says who should look at it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from dispatch.errors import Rejected
from dispatch.rules.gazetteer import Gazetteer
from dispatch.rules.geometry import Point, contains, distance_m, wgs84_of_gcj02
from dispatch.rules.names import known_name
from dispatch.rules.place_text import NOTHING, Told, read_place
from dispatch.rules.policy import AreaNode, Policy

NEAR_M = 150.0
"""Coordinates mean the nearest building, if it is no further away than this (metres)."""

UNKNOWN_TERRITORY = "unknown-territory"

Source = Literal["asset", "area", "building", "coordinates", "text", "territory", "default"]

_LONG_NUMBER = re.compile(r"\d{5,}")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A resolved place. ``area_path`` runs from the root to ``area_id``; ``building`` is an area id.

    ``lat`` and ``lon`` are degrees in WGS84: those given, or the area's. ``notes`` say what could not be used.
    """

    territory: str
    area_id: str | None = None
    area_path: tuple[str, ...] = ()
    building: str | None = None
    floor: str | None = None
    room: str | None = None
    asset_id: str | None = None
    lat: float | None = None
    lon: float | None = None
    source: Source = "default"
    is_default: bool = False
    notes: tuple[str, ...] = ()


def facts_of(place: Place) -> dict[str, Any]:
    """The place as events say it: without what is not known."""
    facts = msgspec.structs.asdict(place)
    return {name: value for name, value in facts.items() if value is not None and value is not False and value != ()}


def locate(policy: Policy, location: Mapping[str, Any] | None, text: str) -> Place:
    """Resolve the ``location`` of a request (``EVENTS.md``) and what its ``text`` says of the place.

    Raises:
        Rejected: with code ``unknown-territory``, if the location names a territory that is not in the policy.
    """
    return _Search(policy, location or {}, text).run()


class _Search:
    """One request's search: each step either finds a place or leaves a note."""

    def __init__(self, policy: Policy, location: Mapping[str, Any], text: str) -> None:
        self.policy = policy
        self.names = policy.compiled(Gazetteer)
        self.location = location
        self.notes: list[str] = []
        self.territory = self._named_territory() if location else None
        self.told = self._read(location.get("note"), text)
        self.point = self._point() if location else None
        self.floor = _word(location.get("floor"))
        self.room = _word(location.get("room"))
        self.asset = _word(location.get("asset_id"))

    def run(self) -> Place:
        """The first step that finds something decides."""
        if self.location:
            found = self._area() or self._asset() or self._building()
            if found is not None:
                return self._place_told(*found)
            near = self._near_point()
            if near is not None:
                return self._place_near(*near)
        told = self.told.area
        if told is not None:
            return self._place_told(told, "text")
        if self.territory is not None:
            return self._outside(self.territory, "territory")
        return self._outside(self.policy.site.default_territory, "default")

    def _read(self, note: object, text: str) -> Told:
        """What the note and the text tell, the note first; a room in the one belongs to a building in the other."""
        told = read_place(self.names, text, self.territory) if text else NOTHING
        if not note:
            return told
        noted = read_place(self.names, str(note), self.territory)
        first, second = (told, noted) if noted.area is None else (noted, told)
        apart = first.area is not None and second.area is not None and not _related(first.area, second.area)
        return msgspec.structs.replace(
            first,
            floor=first.floor or (None if apart else second.floor),
            room=first.room or (None if apart else second.room),
            asset=first.asset or (None if apart else second.asset),
            elsewhere=first.elsewhere or second.elsewhere,
            notes=tuple(dict.fromkeys(first.notes + second.notes)),
        )

    def _named_territory(self) -> str | None:
        name = self.location.get("territory")
        if name is None or name == "":
            return None
        if name in self.policy.territories:
            return str(name)
        found = self.names.territories.get(known_name(str(name)))
        if found is None:
            message = f"no territory '{name}'; there are: {', '.join(self.policy.territories)}"
            raise Rejected(UNKNOWN_TERRITORY, message, "location.territory")
        return found

    def _point(self) -> Point | None:
        lat, lon = self.location.get("lat"), self.location.get("lon")
        if lat is None or lon is None:
            return None
        numbers = isinstance(lat, int | float) and isinstance(lon, int | float)
        if not numbers or not (-90 <= lat <= 90 and -180 <= lon <= 180):  # noqa: PLR2004 - degrees of the globe
            self.notes.append("coordinates-out-of-range")
            return None
        system = self.location.get("coordinate_system") or "WGS84"
        if system == "GCJ-02":
            return wgs84_of_gcj02(lat, lon)
        if system != "WGS84":
            self.notes.append(f"unknown-coordinate-system: {_short(system)}")
            return None
        return float(lat), float(lon)

    def _area(self) -> tuple[AreaNode, Source] | None:
        area_id = self.location.get("area_id")
        if not area_id:
            return None
        node = self.policy.areas.get(str(area_id)) or self.policy.areas.get(str(area_id).casefold())
        if node is None:
            self.notes.append(f"unknown-area: {_short(area_id)}")
            return None
        return node, "area"

    def _asset(self) -> tuple[AreaNode, Source] | None:
        if self.asset is None:
            return None
        area = self.names.asset(self.asset)
        if area is None:
            self.notes.append(f"unknown-asset: {_short(self.asset)}")
            return None
        return self.policy.areas[area], "asset"

    def _building(self) -> tuple[AreaNode, Source] | None:
        said = self.location.get("building")
        if not said:
            return None
        name = known_name(str(said))
        nodes = self.names.by_name.get(name) or self.names.numbered.get(name.rstrip("号#"), ())
        if nodes:
            node = self._only(nodes, str(said))
        else:
            told = read_place(self.names, str(said), self.territory)
            node = told.area
            self.floor, self.room = self.floor or told.floor, self.room or told.room
            if node is None:
                self.notes.append(f"unknown-building: {_short(said)}")
        return (node, "building") if node is not None else None

    def _only(self, found: Sequence[AreaNode], said: str) -> AreaNode | None:
        """The one of several of a name that is in the territory named, or in the campus that the text names."""
        nodes = [each for each in found if self.territory in {None, each.territory}]
        if len(nodes) > 1 and (told := self.told.area) is not None:
            nodes = [each for each in nodes if _related(each, told)] or nodes
        if not nodes:
            self.notes.append(f"unknown-building: {_short(said)}")
        elif len(nodes) > 1:
            self.notes.append(f"ambiguous-place: {_short(said)}")
        return nodes[0] if len(nodes) == 1 else None

    def _near_point(self) -> tuple[AreaNode | None, str] | None:
        """The building near the coordinates, and the territory around them."""
        if self.point is None:
            return None
        inside = [each for each, bounds in self.names.bounds if contains(bounds, self.point)]
        territory = self.territory if self.territory in inside else (inside[0] if inside else None)
        if territory is None:
            self.notes.append("coordinates-outside")
            return None
        near = [
            (distance_m(self.point, place), node.id, node)
            for node, place in self.names.buildings
            if node.territory == territory
        ]
        distance, _, node = min(near, default=(NEAR_M + 1, "", None))
        return (node if distance <= NEAR_M else None), territory

    def _place_near(self, node: AreaNode | None, territory: str) -> Place:
        """By coordinates: the building near them, or what the text names in their territory, or the territory."""
        if node is not None:
            return self._place_told(node, "coordinates")
        told = self.told.area
        if told is not None and told.territory == territory:
            return self._place_told(told, "text")
        return self._outside(territory, "coordinates")

    def _place_told(self, node: AreaNode, source: Source) -> Place:
        """The place, and what the text says of it besides; if the text names another one, that is only noted."""
        told = self.told
        self.notes.extend(told.notes)
        other = told.area
        if other is not None and other is not node:
            if node.id in other.path:
                node = other
            elif other.id not in node.path:
                self.notes.append(f"text-names-other-place: {other.id}")
                return self._place(node, source)
        self._take_inside(told)
        return self._place(self._deeper(node), source)

    def _take_inside(self, told: Told) -> None:
        """Floor, room and asset as the text says them, where the form does not."""
        if self.room is not None and told.room is not None and not _same(self.room, told.room):
            self.notes.append(f"text-names-other-room: {told.room}")
        if self.floor is not None and told.floor is not None and not _same(self.floor, told.floor):
            self.notes.append(f"text-names-other-floor: {told.floor}")
        self.room = self.room or told.room
        self.floor = self.floor or told.floor
        self.asset = self.asset or told.asset

    def _deeper(self, node: AreaNode) -> AreaNode:
        """The room of a building as the policy has it, where it has rooms."""
        if self.room is None or not self.names.inside or node.kind != "building":
            return node
        return self.names.inside.get((node.id, known_name(self.room).removesuffix("室")), node)

    def _place(self, node: AreaNode, source: Source) -> Place:
        if self.territory is not None and node.territory != self.territory:
            self.notes.append(f"not-in-the-territory: {node.id} is not in {self.territory}")
        if (elsewhere := self.told.elsewhere) is not None:
            self.notes.append(f"text-names-other-place: {elsewhere.id}")
        building, floor, room = self.names.within[node.id]
        lat, lon = self.point or (node.lat, node.lon)
        return Place(
            territory=node.territory,
            area_id=node.id,
            area_path=node.path,
            building=building,
            floor=self.floor or floor,
            room=self.room or room,
            asset_id=self.asset,
            lat=lat,
            lon=lon,
            source=source,
            notes=tuple(self.notes),
        )

    def _outside(self, territory: str, source: Source) -> Place:
        """Only the territory is known: its root area, if it has a single one, stands for it."""
        lat, lon = self.point or (None, None)
        roots = self.policy.territories[territory].areas
        root = roots[0].id if len(roots) == 1 else None
        told = self.told
        elsewhere = told.elsewhere or (told.area if told.area and told.area.territory != territory else None)
        if elsewhere is None:
            self._take_inside(told)
        else:
            self.notes.append(f"text-names-other-place: {elsewhere.id}")
        return Place(
            territory=territory,
            area_id=root,
            area_path=(root,) if root else (),
            floor=self.floor,
            room=self.room,
            asset_id=self.asset,
            lat=lat,
            lon=lon,
            source=source,
            is_default=source == "default",
            notes=(*self.notes, *told.notes),
        )


def _related(one: AreaNode, other: AreaNode) -> bool:
    """Whether one area is inside the other."""
    return one.id in other.path or other.id in one.path


def _same(form: str, text: str) -> bool:
    """Whether a form's room or floor is what the text says: 402室 and 402, 3楼 and 3."""
    return known_name(form).rstrip("室房楼层f") == text.casefold()


def _word(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _short(value: object) -> str:
    """A quotation of what a sender wrote, cut so that a note stays a note, and without numbers that reach a person."""
    return repr(_LONG_NUMBER.sub("…", str(value)[:40]))
