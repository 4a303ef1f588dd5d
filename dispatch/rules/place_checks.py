"""Whether the places of a policy fit together: areas, names, bounds and assets of its territories."""

from collections.abc import Iterator

from dispatch.models.policy import Area, PolicyDocument
from dispatch.rules.findings import Finding, Path, twice, unknown
from dispatch.rules.geometry import crossing_edges
from dispatch.rules.names import NAMED_KINDS, plain_name

_CORNERS = 3


def check_areas(document: PolicyDocument) -> Iterator[Finding]:
    """No area id occurs twice, and no name or alias points at two places of one territory."""
    found = [(path, area) for path, _, area in areas_in(document)]
    yield from twice((((*path, "id"), area.id) for path, area in found), "area id")
    for number, territory in enumerate(document.territories):
        owners: dict[str, str] = {}
        for path, area in _walk(territory.areas, ("territories", number, "areas")):
            for where, name in _names(path, area):
                first = owners.setdefault(plain_name(name), area.id)
                if first != area.id:
                    what = f"'{name}' names both '{first}' and '{area.id}'"
                    yield Finding(where, what, "a name or alias that is its own within the territory")


def check_bounds(document: PolicyDocument) -> Iterator[Finding]:
    """The bounds of a territory are a polygon: three corners or more, on the globe, no edges crossing."""
    for number, territory in enumerate(document.territories):
        path: Path = ("territories", number, "bounds")
        points = territory.bounds
        if points and len(set(points)) < _CORNERS:
            yield Finding(path, f"bounds with {len(set(points))} different points", "at least 3 corners")
        for index, (lat, lon) in enumerate(points):
            if not (-90 <= lat <= 90 and -180 <= lon <= 180):  # noqa: PLR2004 - degrees of the globe
                expected = "[latitude -90 to 90, longitude -180 to 180]"
                yield Finding((*path, index), f"the point {lat}, {lon} is not on the globe", expected)
        if crossing := crossing_edges(points):
            what = f"the edges that start at points {crossing[0]} and {crossing[1]} cross"
            yield Finding((*path, crossing[1]), what, "corners in order around the territory")


def check_assets(document: PolicyDocument) -> Iterator[Finding]:
    """Assets stand in areas of their territory, and no code is covered by another."""
    seen: list[tuple[str, str]] = []
    for number, territory in enumerate(document.territories):
        ids = [area.id for _, area in _walk(territory.areas, ())]
        for index, asset in enumerate(territory.assets):
            path: Path = ("territories", number, "assets", index)
            if missing := unknown((*path, "area"), "area", asset.area, ids):
                yield missing
            code = asset.code.casefold()
            for other, other_code in seen:
                if _overlap(code, other):
                    what = f"the asset code '{asset.code}' overlaps '{other_code}'"
                    yield Finding((*path, "code"), what, "codes and prefixes that exclude each other")
            seen.append((code, asset.code))


def areas_in(document: PolicyDocument) -> Iterator[tuple[Path, str, Area]]:
    """Every area: where it stands in the document, its territory, itself."""
    for number, territory in enumerate(document.territories):
        for path, area in _walk(territory.areas, ("territories", number, "areas")):
            yield path, territory.id, area


def _walk(areas: tuple[Area, ...], path: Path) -> Iterator[tuple[Path, Area]]:
    for number, area in enumerate(areas):
        here = (*path, number)
        yield here, area
        yield from _walk(area.areas, (*here, "areas"))


def _names(path: Path, area: Area) -> Iterator[tuple[Path, str]]:
    if area.kind not in NAMED_KINDS:
        return
    yield (*path, "name", "zh"), area.name.zh
    yield (*path, "name", "en"), area.name.en
    for number, alias in enumerate(area.aliases):
        yield (*path, "aliases", number), alias


def _overlap(one: str, other: str) -> bool:
    """Whether one code is the other, or its prefix pattern covers it."""
    if one.endswith("*") and other.rstrip("*").startswith(one[:-1]):
        return True
    if other.endswith("*") and one.rstrip("*").startswith(other[:-1]):
        return True
    return one == other
