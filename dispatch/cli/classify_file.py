"""``dispatch classify --in FILE --out FILE``: the reports of one table, judged into another."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dispatch.cli.group import CommandError
from dispatch.models.policy_base import URGENCIES
from dispatch.rules.faults import Asked, Faults, told_apart
from dispatch.rules.location import Place, locate
from dispatch.rules.policy import Policy
from dispatch.rules.triage import Classification, classify, hear
from dispatch.rules.triage_model import OUT_OF_SCOPE, Model

COLUMNS: Final = (
    "id", "kind", "trade", "urgency", "emergency", "confidence", "abstained", "second_trade", "faults", "building",
    "room", "evidence",
)  # fmt: skip
_NEEDED: Final = ("id", "text")
_WORTH_SAYING: Final = 50  # thousandths
_BATCH: Final = 256
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
    batches = (read[at : at + _BATCH] for at in range(0, len(read), _BATCH))
    rows = [row for batch in batches for row in _judged(policy, model, batch, place, said)]
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
    policy: Policy,
    model: Model,
    read: Sequence[Mapping[str, str | None]],
    place: Mapping[str, Any],
    said: Mapping[str, Any],
) -> Iterator[dict[str, object]]:
    """The verdicts on some rows, which the model hears together: that is several times faster."""
    texts = [row["text"] or "" for row in read]
    verdicts = [
        classify(policy, text=text, heard=heard, model=model, **said)
        for text, heard in zip(texts, hear(texts, model), strict=True)
    ]
    asked = [Asked(policy, text, verdict) for text, verdict in zip(texts, verdicts, strict=True)]
    for row, text, verdict, faults in zip(read, texts, verdicts, told_apart(asked, model), strict=True):
        yield _row(row["id"] or "", verdict, faults, locate(policy, place, text))


def _row(row_id: str, verdict: Classification, faults: Faults, where: Place) -> dict[str, object]:
    """Of several faults the most severe one is told, of equals the one named first."""
    told = [part.verdict for part in faults.parts]
    if told:
        verdict = min(told, key=lambda each: URGENCIES.index(each.urgency))
    other = next((each.trade for each in told if each.trade != verdict.trade), faults.second)
    return {
        "id": row_id,
        "kind": verdict.kind,
        "trade": OUT_OF_SCOPE if verdict.out_of_scope else verdict.trade or "",
        "urgency": verdict.urgency,
        "emergency": int(verdict.urgency == "emergency"),
        "confidence": f"{verdict.confidence_permille / 1000:.3f}",
        "abstained": int(verdict.needs_front_desk and not verdict.out_of_scope),
        "second_trade": other or _second(verdict),
        "faults": max(1, len(faults.parts)),
        "building": where.building or "",
        "room": where.room or "",
        "evidence": "; ".join(verdict.evidence),
    }


def _second(verdict: Classification) -> str:
    """The trade that the whole text may be about instead, if that is worth saying."""
    others = (each for each, sure in verdict.alternatives if each != verdict.trade and sure >= _WORTH_SAYING)
    return next(others, "")
