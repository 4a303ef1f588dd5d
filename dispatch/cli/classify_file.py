"""``dispatch classify --in FILE --out FILE``: the reports of one table, judged into another."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dispatch.cli.group import CommandError
from dispatch.rules.faults import Asked, Faults, told_apart
from dispatch.rules.location import locate
from dispatch.rules.policy import Policy
from dispatch.rules.triage import Classification, classify
from dispatch.rules.triage_model import OUT_OF_SCOPE, Model

COLUMNS: Final = (
    "id", "kind", "trade", "urgency", "emergency", "confidence", "abstained", "second_trade", "faults", "building",
    "room", "evidence",
)  # fmt: skip
_NEEDED: Final = ("id", "text")
_WORTH_SAYING: Final = 50  # thousandths
_CELL_LIMIT: Final = 16 * 1024 * 1024


def classify_file(
    policy: Policy, model: Model, source: Path, target: Path, place: Mapping[str, Any], said: Mapping[str, Any]
) -> int:
    """Judge every row of a CSV (UTF-8, columns ``id`` and ``text``) into another; how many there were.

    ``place`` and ``said`` are what is known of all rows, as :func:`locate` and :func:`classify` take it. Nothing is
    written unless all was read.

    Raises:
        CommandError: if the table has not these columns or is no CSV.
        Rejected: if ``place`` names a territory that is not in the policy.
        UnicodeDecodeError: if it is not UTF-8.
        OSError: if a file cannot be read or written.
    """
    read = read_table(source)
    verdicts = [classify(policy, text=row["text"] or "", model=model, **said) for row in read]
    asked = [Asked(policy, row["text"] or "", verdict) for row, verdict in zip(read, verdicts, strict=True)]
    rows = [
        _judged(policy, row, place, verdict, faults)
        for row, verdict, faults in zip(read, verdicts, told_apart(asked, model), strict=True)
    ]
    with target.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return len(rows)


def read_table(source: Path) -> list[dict[str, str | None]]:
    """The rows of a CSV in UTF-8 that has the columns ``id`` and ``text``.

    Raises:
        CommandError: if it has not, or is no CSV.
    """
    csv.field_size_limit(_CELL_LIMIT)
    with source.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        try:
            names = table.fieldnames or ()
            if missing := [name for name in _NEEDED if name not in names]:
                has = ", ".join(names) or "none"
                raise CommandError(f"{source}: no column {' and no '.join(missing)}; the columns are: {has}")
            return list(table)
        except csv.Error as error:
            raise CommandError(f"{source}:{table.line_num}: {error}") from error


def _judged(
    policy: Policy, row: Mapping[str, str | None], place: Mapping[str, Any], verdict: Classification, faults: Faults
) -> dict[str, object]:
    where = locate(policy, place, row["text"] or "")
    if faults.parts and verdict.trade is None:
        verdict = faults.parts[0].verdict  # of two that compete nobody can say which; told apart they are known
    return {
        "id": row["id"] or "",
        "kind": verdict.kind,
        "trade": OUT_OF_SCOPE if verdict.out_of_scope else verdict.trade or "",
        "urgency": verdict.urgency,
        "emergency": int(verdict.urgency == "emergency"),
        "confidence": f"{verdict.confidence_permille / 1000:.3f}",
        "abstained": int(verdict.needs_front_desk and not verdict.out_of_scope),
        "second_trade": faults.second or _second(verdict),
        "faults": max(1, len(faults.parts)),
        "building": where.building or "",
        "room": where.room or "",
        "evidence": "; ".join(verdict.evidence),
    }


def _second(verdict: Classification) -> str:
    """The trade that the whole text may be about instead, if that is worth saying."""
    others = (each for each, sure in verdict.alternatives if each != verdict.trade and sure >= _WORTH_SAYING)
    return next(others, "")
