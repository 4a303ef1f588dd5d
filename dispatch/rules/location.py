"""Where a report is from: what a channel knows, resolved to a territory and as deep an area as can be said.

In this order: the area's id, the asset's code, the building's name, coordinates, names in the text, the
territory named, and else the default territory, marked as such. What a sender got wrong is noted, and the next
best is used; only an unknown territory named outright is refused, because nothing says who should look at it.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from dispatch.errors import Rejected
from dispatch.rules.geometry import Point, contains, distance_m, wgs84_of_gcj02
from dispatch.rules.names import AreaNames, known_name, plain_name
from dispatch.rules.policy import AreaNode, Policy

NEAR_M = 150.0
"""Coordinates mean the nearest building, if it is no further away than this (metres)."""

UNKNOWN_TERRITORY = "unknown-territory"

Source = Literal["asset", "area", "building", "coordinates", "text", "territory", "default"]

_ROOM = re.compile(r"(?<![0-9a-z.])(\d{3,4})(?:室|号?房|寝|宿舍|号门)|(?<![a-z])(?:room|rm|flat|apt)\.?(\d{3,4})(?!\d)")
_ROOM_AFTER = re.compile(r"[,#]?(\d{3,4})(?![0-9年月天度元块栋号楼])")
_FLOOR = re.compile(
    r"(?<!\d)(\d{1,2})[楼层](?![栋号])|(?<!\d)(\d{1,2})(?:st|nd|rd|th) floor|(?<![a-z])floor(\d{1,2})(?!\d)"
)


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
        self.names = policy.compiled(AreaNames)
        self.location = location
        self.text = text
        self.notes: list[str] = []
        self.territory = self._named_territory()
        self.point = self._point()
        self.floor = _word(location.get("floor"))
        self.room = _word(location.get("room"))

    def run(self) -> Place:
        """The first step that finds something decides."""
        found = self._area() or self._asset() or self._building()
        if found is not None:
            return self._place_told(*found)
        near = self._near_point()
        if near is not None and near[0] is not None:
            return self._place_told(near[0], "coordinates")
        told = self._told()
        if told is not None and (near is None or told.territory == near[1]):
            return self._place(told, "text")
        if near is not None:
            return self._outside(near[1], "coordinates")
        if self.territory is not None:
            return self._outside(self.territory, "territory")
        return self._outside(self.policy.site.default_territory, "default")

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
            self.notes.append("coordinates out of range")
            return None
        system = self.location.get("coordinate_system") or "WGS84"
        if system == "GCJ-02":
            return wgs84_of_gcj02(lat, lon)
        if system != "WGS84":
            self.notes.append(f"unknown coordinate system {_short(system)}")
            return None
        return float(lat), float(lon)

    def _area(self) -> tuple[AreaNode, Source] | None:
        area_id = self.location.get("area_id")
        if not area_id:
            return None
        node = self.policy.areas.get(str(area_id)) or self.policy.areas.get(str(area_id).casefold())
        if node is None:
            self.notes.append(f"unknown area {_short(area_id)}")
            return None
        return node, "area"

    def _asset(self) -> tuple[AreaNode, Source] | None:
        code = self.location.get("asset_id")
        if not code:
            return None
        area = self.names.asset(str(code))
        if area is None:
            self.notes.append(f"unknown asset {_short(code)}")
            return None
        return self.policy.areas[area], "asset"

    def _building(self) -> tuple[AreaNode, Source] | None:
        said = self.location.get("building")
        if not said:
            return None
        name = known_name(str(said))
        node = self._pick(name)
        if node is None and (part := self.names.scan(name, self.territory)) is not None:
            node = part[0]
        if node is None:
            self.notes.append(f"unknown building {_short(said)}")
            return None
        return node, "building"

    def _pick(self, name: str) -> AreaNode | None:
        by_territory = self.names.by_territory
        if self.territory is None and len(self.names.by_name.get(name, ())) > 1:
            self.notes.append(f"{_short(name)} is in several territories")
            home = self.policy.site.default_territory
            return by_territory.get((name, home)) or by_territory[name, None]
        return by_territory.get((name, self.territory))

    def _near_point(self) -> tuple[AreaNode | None, str] | None:
        """The building near the coordinates, and the territory around them."""
        if self.point is None:
            return None
        inside = [each for each, bounds in self.names.bounds if contains(bounds, self.point)]
        territory = self.territory if self.territory in inside else (inside[0] if inside else None)
        if territory is None:
            self.notes.append("coordinates outside every territory")
            return None
        near = [
            (distance_m(self.point, place), node.id, node)
            for node, place in self.names.buildings
            if node.territory == territory
        ]
        distance, _, node = min(near, default=(NEAR_M + 1, "", None))
        return (node if distance <= NEAR_M else None), territory

    def _told(self) -> AreaNode | None:
        """What the note and the text name, with a room or a floor said along with it."""
        for said in (self.location.get("note"), self.text):
            if not said:
                continue
            plain = plain_name(str(said))
            found = self.names.scan(plain, self.territory)
            if found is not None:
                self._room_and_floor(plain, found[1])
                return found[0]
        return None

    def _room_and_floor(self, plain: str, end: int | None) -> None:
        """What a plain text says of room and floor; ``end`` is where in it a building's name ends."""
        if self.room is None:
            after = None if end is None else _ROOM_AFTER.match(plain, end)
            self.room = _group(after or _ROOM.search(plain))
        if self.floor is None:
            self.floor = _group(_FLOOR.search(plain, end or 0))

    def _place_told(self, node: AreaNode, source: Source) -> Place:
        """The place, with the room that only the text says."""
        if self.room is None and self.text:
            self._room_and_floor(plain_name(self.text), None)
        return self._place(node, source)

    def _place(self, node: AreaNode, source: Source) -> Place:
        if self.territory is not None and node.territory != self.territory:
            self.notes.append(f"{node.id} is not in the territory {self.territory} that was named")
        building, floor, room = self.names.within[node.id]
        lat, lon = self.point or (node.lat, node.lon)
        return Place(
            territory=node.territory,
            area_id=node.id,
            area_path=node.path,
            building=building,
            floor=self.floor or floor,
            room=self.room or room,
            asset_id=_word(self.location.get("asset_id")),
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
        return Place(
            territory=territory,
            area_id=root,
            area_path=(root,) if root else (),
            floor=self.floor,
            room=self.room,
            asset_id=_word(self.location.get("asset_id")),
            lat=lat,
            lon=lon,
            source=source,
            is_default=source == "default",
            notes=tuple(self.notes),
        )


def _group(found: re.Match[str] | None) -> str | None:
    return None if found is None else next(filter(None, found.groups()))


def _word(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _short(value: object) -> str:
    """A quotation of what a sender wrote, cut so that a note stays a note."""
    return repr(str(value)[:40])
