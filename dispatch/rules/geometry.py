"""Places on the globe at the scale of a campus: distances, polygons, and the Chinese coordinate offset.

Points are (latitude, longitude) in degrees, WGS84 unless said otherwise. At this scale the globe is flat
enough: polygons are taken as flat, distances as equirectangular, whose error is below 0.1 % within 10 km.
"""

from collections.abc import Sequence
from math import cos, hypot, pi, radians, sin, sqrt

Point = tuple[float, float]

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth (IUGG), metres."""

_GCJ_AXIS_M = 6_378_245.0
_GCJ_ECCENTRICITY_2 = 0.00669342162296594323


def distance_m(a: Point, b: Point) -> float:
    """Metres from ``a`` to ``b``, by the equirectangular approximation."""
    north = radians(b[0] - a[0])
    east = radians(b[1] - a[1]) * cos(radians((a[0] + b[0]) / 2))
    return EARTH_RADIUS_M * hypot(north, east)


def contains(polygon: Sequence[Point], point: Point) -> bool:
    """Whether ``point`` lies inside, by the parity of the edges that a ray towards the east crosses."""
    lat, lon = point
    inside = False
    previous_lat, previous_lon = polygon[-1]
    for corner_lat, corner_lon in polygon:
        if (corner_lat > lat) != (previous_lat > lat):
            share = (lat - corner_lat) / (previous_lat - corner_lat)
            if lon < corner_lon + share * (previous_lon - corner_lon):
                inside = not inside
        previous_lat, previous_lon = corner_lat, corner_lon
    return inside


def crossing_edges(polygon: Sequence[Point]) -> tuple[int, int] | None:
    """The numbers of the first two edges that cross although they are not neighbours, if there are such."""
    count = len(polygon)
    for one in range(count):
        for other in range(one + 2, count):
            if (other + 1) % count == one:
                continue
            ends = polygon[one], polygon[(one + 1) % count], polygon[other], polygon[(other + 1) % count]
            if _cross(*ends):
                return one, other
    return None


def wgs84_of_gcj02(lat: float, lon: float) -> Point:
    """WGS84 of a point in GCJ-02, the offset coordinates of maps in China; right to about 2 m.

    The offset is taken at the given point instead of at the true one: WGS84 = GCJ-02 - offset(GCJ-02), with the
    published approximation of the offset (project eviltransform). Outside a rectangle around China it is none.
    """
    if not (0.8293 <= lat <= 55.8271 and 72.004 <= lon <= 137.8347):  # noqa: PLR2004 - the rectangle
        return lat, lon
    north, east = _gcj_offset(lat, lon)
    return lat - north, lon - east


def _gcj_offset(lat: float, lon: float) -> Point:
    x, y = lon - 105.0, lat - 35.0
    waves = 20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    north_m += (waves + 20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north_m += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    east_m += (waves + 20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east_m += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    latitude = radians(lat)
    magic = 1.0 - _GCJ_ECCENTRICITY_2 * sin(latitude) ** 2
    metres_north = _GCJ_AXIS_M * (1.0 - _GCJ_ECCENTRICITY_2) / (magic * sqrt(magic))
    metres_east = _GCJ_AXIS_M / sqrt(magic) * cos(latitude)
    return north_m / radians(metres_north), east_m / radians(metres_east)


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segments a-b and c-d cross: each has the other's ends on both of its sides."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, point: Point) -> float:
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
