"""Where the parts of a report are: each where its own words say, or else where the part before it is."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from dispatch.rules.gazetteer import Gazetteer
from dispatch.rules.location import Place, locate
from dispatch.rules.place_text import CONTAINERS, read_place
from dispatch.rules.policy import Policy

_INSIDE: Final = frozenset({"room", "floor", "asset_id"})


def locate_part(
    policy: Policy, location: Mapping[str, Any] | None, text: str, before: Place | None, *, is_first: bool
) -> Place:
    """The place of a part with this ``text``, of a report whose channel says ``location``.

    A later part may name another room of the same building. What it does not name it has from ``before``, but not the
    asset: another trade's fault is not of that.

    Raises:
        Rejected: as :func:`locate` does.
    """
    if before is None or (is_first and location):
        return before or locate(policy, location, text)
    told = read_place(policy.compiled(Gazetteer), text, None if before.is_default else before.territory)
    if told.area is not None and told.area.kind not in CONTAINERS:
        form = {name: value for name, value in (location or {}).items() if name not in _INSIDE}
        return locate(policy, form, text)
    if is_first:
        return before
    found = _in_the_same_building(policy, text, before)
    if found is not None:
        return replace(found, source=before.source, lat=before.lat, lon=before.lon)
    return replace(before, asset_id=told.asset, notes=told.notes)


def _in_the_same_building(policy: Policy, text: str, before: Place) -> Place | None:
    """Another room or floor of a building whose rooms this report names: a number alone may be one then."""
    if before.building is None or before.room is None:
        return None
    found = locate(policy, {"territory": before.territory}, f"{policy.areas[before.building].name.zh} {text}")
    same = found.building == before.building and (found.room or found.floor)
    return found if same else None
