"""A request that tells of several faults becomes several openings under it, as if its channel had listed them."""

from collections.abc import Sequence

from msgspec.structs import replace

from dispatch.agents.inputs import Draft, order_id_of
from dispatch.log import get_log
from dispatch.rules.faults import Asked, Part, told_apart
from dispatch.rules.triage_model import Model

log = get_log("splitting")


def split_up(drafts: Sequence[Draft], tenant: str, model: Model | None = None) -> list[Draft]:
    """The drafts, classified reports of several faults replaced by one draft a fault; all are judged at once.

    The first keeps the id that the whole would have. Whatever goes wrong here, the report is opened as it is.
    """
    asked: dict[int, Asked] = {}
    for at, draft in enumerate(drafts):
        if draft.report is not None and (question := draft.report.asked()) is not None:
            asked[at] = question
    if not asked:
        return list(drafts)
    try:
        faults = dict(zip(asked, told_apart(list(asked.values()), model), strict=True))
        parted = {at: _parted(drafts[at], tenant, one.parts, model) for at, one in faults.items() if one.parts}
    except Exception:
        log.exception("splitting failed")
        return list(drafts)
    return [one for at, draft in enumerate(drafts) for one in parted.get(at, (draft,))]


def _parted(draft: Draft, tenant: str, parts: Sequence[Part], model: Model | None) -> list[Draft]:
    found: list[Draft] = []
    report = draft.report
    for part, one in zip(parts, report.parted(parts) if report is not None else (), strict=True):
        order_id = order_id_of(tenant, draft.incoming.source, one.request_id, one.number)
        part_draft = replace(draft, report=one, order_id=order_id, route_of=order_id, data={}, proposed=None)
        part_draft.classified(None if part.is_whole else part.heard, model)
        found.append(part_draft)
    return found
