"""``dispatch classify --compare OLD NEW``: what another model of triage would change."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dispatch.cli.classify_file import read_table
from dispatch.cli.log_events import events_of
from dispatch.cli.output import print_facts, print_json, print_rows
from dispatch.config import load_model
from dispatch.rules.policy import Policy
from dispatch.rules.triage_compare import Asked, Change, Comparison, compare
from dispatch.rules.triage_model import Model
from dispatch.settings import Settings

SHIPPED: Final = "shipped"
_COLUMNS: Final = ("id", "times", "old", "new", "text")


def compare_models(
    settings: Settings,
    policy: Policy,
    pair: tuple[str, str],
    source: Path | None,
    said: Mapping[str, Any],
    *,
    sample: int,
    as_json: bool,
) -> None:
    """Compare two models on a table of texts, or on the log's, and print what is found.

    Raises:
        ModelError: if one of them cannot be used.
        CommandError: if the table cannot be read.
    """
    old, new = map(model_named, pair)
    found = compare(policy, _of_table(source) if source else _of_log(settings), old, new, said, sample)
    print_json(found) if as_json else _print(found)


def model_named(name: str) -> Model:
    """The model of a file; ``shipped`` is the one in the package."""
    return load_model(None if name == SHIPPED else Path(name))


def _of_table(source: Path) -> list[Asked]:
    return [Asked(id=row["id"] or "", text=row["text"] or "") for row in read_table(source)]


def _of_log(settings: Settings) -> list[Asked]:
    """What people have reported, each text once; parts of a split and drills are left out."""
    texts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for one in sorted(events_of(settings, None), key=lambda each: (each.at, each.order)):
        data = one.data
        parts = any(link.get("type") == "split_from" for link in data.get("links") or ())
        if one.type == "work-order.opened" and data.get("text") and not parts and not data.get("drill"):
            texts[data["text"]] += 1
            first.setdefault(data["text"], one.order)
    return [Asked(id=first[text], text=text, count=count) for text, count in texts.items()]


def _print(found: Comparison) -> None:
    for title, changes in (("emergencies lost", found.lost), ("emergencies gained", found.gained)):
        print_rows(_COLUMNS, _rows(changes), title=f"{title}: {sum(each.count for each in changes)}")
    shares = ((f"agree on {name}", f"{share:.2%}") for name, share in found.agreement.items() if share is not None)
    facts = (("old", found.old), ("new", found.new), ("reports", found.reports), ("changed", found.changed))
    print_facts((*facts, *shares))
    print_rows(("old", "new", "reports"), [(move.old, move.new, move.count) for move in found.moves], title="moves")
    print_rows(_COLUMNS, _rows(found.sample), title="some of the other changes")


def _rows(changes: Sequence[Change]) -> list[Sequence[object]]:
    return [
        (
            each.id,
            each.count,
            *(f"{one.trade} {one.urgency} {one.kind} {one.confidence:.0%}" for one in (each.old, each.new)),
            each.text,
        )
        for each in changes
    ]
