"""``dispatch classify``: what would become of a report, by the config folder's rules alone."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import click
import msgspec

from dispatch.cli.classify_file import classify_file
from dispatch.cli.group import make_command
from dispatch.cli.moments import clock_of, local, span
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_facts, print_json, print_rows
from dispatch.config import load_config, load_model
from dispatch.models.base import Impact
from dispatch.models.policy_base import URGENCIES
from dispatch.rules.faults import Asked, Faults, told_apart
from dispatch.rules.location import Place, locate
from dispatch.rules.place_parts import locate_part
from dispatch.rules.policy import Policy
from dispatch.rules.promises import new_clocks
from dispatch.rules.state import Clock, text_of
from dispatch.rules.triage import Classification, classify
from dispatch.rules.urgency import Context, in_context
from dispatch.settings import Settings

_PLACE = ("territory", "area_id", "building", "floor", "room", "asset_id")


_TABLE = click.Path(path_type=Path, dir_okay=False)
_EXAMPLE = """\
dispatch classify "3号楼402水龙头漏水"
dispatch classify "no power" --building Library --json
dispatch classify --in reports.csv --out verdicts.csv
dispatch classify --compare shipped triage-ours.bin --from-log"""


@make_command("classify", example=_EXAMPLE)
@click.argument("text", required=False)
@click.option("--in", "source", type=_TABLE, help="Many at once: a CSV in UTF-8 with the columns id and text.")
@click.option("--out", "target", type=_TABLE, help="Where the verdicts on --in go, one row each; it is overwritten.")
@click.option(
    "--compare", "pair", nargs=2, metavar="OLD NEW", help="Two models' files (or shipped): what would change."
)
@click.option("--from-log", is_flag=True, help="Compare on what was reported, as dispatch.work-orders has it.")
@click.option("--sample", type=click.IntRange(0), default=20, show_default=True, help="How many changed texts to show.")
@click.option("--territory", help="The territory, if the channel knows it.")
@click.option("--area", "area_id", help="The id of an area.")
@click.option("--building", help="A building's name or alias.")
@click.option("--floor", help="A floor.")
@click.option("--room", help="A room.")
@click.option("--asset", "asset_id", help="An asset's code.")
@click.option("--category", help="What a form's category says.")
@click.option("--trade-hint", help="What a channel thinks.")
@click.option("--urgency-hint", type=click.Choice(URGENCIES), help="What a channel thinks.")
@click.option("--hazard", "hazards", multiple=True, help="A hazard that was named; may be repeated.")
@click.option("--impact", type=click.Choice(get_args(Impact)), help="How far it reaches.")
@click.option("--kind", default="repair", show_default=True, help="The kind of request.")
@click.option("--vulnerable", is_flag=True, help="Whoever reports needs special care.")
@as_json
@with_settings("kafka", "config")
def command(
    settings: Settings,
    text: str | None,
    source: Path | None,
    target: Path | None,
    pair: tuple[str, str] | None,
    sample: int,
    *,
    from_log: bool,
    vulnerable: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Say what trade and urgency TEXT gets (- reads it from standard input), where it is, and what it is promised.

    With --in and --out every row of a table is judged instead; the other options then hold for all rows.
    With --compare two models of triage judge the texts of --in or of the log, and where they part is told:
    emergencies lost and gained in full, trades by the number of reports that move, a sample of the rest.
    Needs no server but for --from-log: it asks the rules of the config folder, and publishes nothing.
    """
    _check_usage(text, source, target, pair, from_log=from_log)
    policy = load_config(settings.config)
    known = {name: said.pop(name) for name in _PLACE}
    if pair is not None:
        from dispatch.cli.compare import compare_models  # noqa: PLC0415 -- reads logs, which takes long to import

        compare_models(settings, policy, pair, source, said, sample=sample, as_json=as_json)
        return
    model = load_model(settings.triage_model)
    if source is not None and target is not None:
        done = {"classified": classify_file(policy, model, source, target, known, said)}
        print_json(done) if as_json else print_facts(done.items())
        return
    text = sys.stdin.read() if text == "-" else str(text)
    place = locate(policy, known, text)
    verdict = classify(policy, text=text, model=model, **said)
    now = clock_of(settings).now()
    context = Context(territory=place.territory, area_path=place.area_path, reported_at=now, vulnerable=vulnerable)
    [faults] = told_apart([Asked(policy, text, verdict)], model)
    verdict = in_context(policy, verdict, f"{text}\n{known['building'] or ''}\n{known['room'] or ''}", context)
    document = _document(policy, place, verdict, now) | _faults(policy, faults, known, place)
    if as_json:
        print_json(document)
    else:
        _print(policy, document)


def _check_usage(
    text: str | None, source: Path | None, target: Path | None, pair: tuple[str, str] | None, *, from_log: bool
) -> None:
    if pair is not None:
        if text is not None or target is not None or (source is not None) is from_log:
            raise click.UsageError("With --compare give either --in FILE or --from-log, and neither TEXT nor --out.")
    elif from_log or (text is None) is (source is None) or (source is None) is not (target is None):
        raise click.UsageError("Give TEXT, or both --in and --out; --from-log goes with --compare.")


def _document(policy: Policy, place: Place, verdict: Classification, now: datetime) -> dict[str, Any]:
    question = (verdict.urgency, verdict.trade, place.territory, place.area_path, verdict.kind)
    promises = new_clocks(policy, question, now, triage=verdict.needs_front_desk)
    mode = None if verdict.needs_front_desk else policy.mode(*question)
    return {
        "trade": verdict.trade,
        "urgency": verdict.urgency,
        "confidence": verdict.confidence_permille / 1000,
        "source": verdict.source,
        "kind": verdict.kind,
        "model_version": verdict.model_version,
        "alternatives": [{"trade": trade, "confidence": each / 1000} for trade, each in verdict.alternatives],
        "out_of_scope": verdict.out_of_scope,
        "evidence": verdict.evidence,
        "hazards": verdict.hazards,
        "requirements": msgspec.to_builtins(verdict.requirements),
        "place": msgspec.to_builtins(place),
        "goes_to": "front_desk" if mode is None else "matching",
        "mode": mode.mode if mode else None,
        "offer_expires_s": mode.expires if mode else None,
        "sla_rule": policy.sla(*question).id,
        "targets": [_promise(clock) for clock in promises],
        "policy_version": policy.version,
    }


def _faults(policy: Policy, faults: Faults, known: dict[str, Any], whole: Place) -> dict[str, Any]:
    """The parts that a report becomes orders of, each with its place; none where it is one fault."""
    parts, before = [], whole
    form = {name: value for name, value in known.items() if value is not None}
    for number, part in enumerate(faults.parts):
        before = whole if part.is_whole else locate_part(policy, form, part.text, before, is_first=not number)
        parts.append(
            {
                "text": part.text,
                "trade": part.trade,
                "urgency": part.verdict.urgency,
                "confidence": part.verdict.confidence_permille / 1000,
                "at": part.at,
                "after": part.said,
                "place": msgspec.to_builtins(before),
            }
        )
    return {"faults": parts, "second_trade": faults.second}


def _promise(clock: Clock) -> dict[str, Any]:
    return {
        "name": clock.name,
        "target_s": clock.target_s,
        "calendar_id": clock.calendar_id or None,
        "due_at": text_of(clock.due_at),
        "promised_to": clock.promised_to,
        "ladder": clock.ladder,
    }


def _print(policy: Policy, said: dict[str, Any]) -> None:
    place = said["place"]
    where = [policy.areas[area].name.zh for area in place["area_path"]]
    print_facts(
        (
            ("trade", said["trade"] or ("out of scope" if said["out_of_scope"] else "nobody can say")),
            ("or", [f"{one['trade']} {one['confidence']:.0%}" for one in said["alternatives"]]),
            ("faults", [f"{one['trade']} ({one['urgency']}): {one['text']}" for one in said["faults"]]),
            ("kind", said["kind"]),
            ("urgency", said["urgency"]),
            ("confidence", f"{said['confidence']:.0%} ({said['source']})"),
            ("evidence", said["evidence"]),
            ("hazards", said["hazards"]),
            ("needs", [_need(one) for one in said["requirements"]]),
            ("territory", f"{place['territory']} ({place['source']})"),
            ("place", " › ".join([*where, *(str(place[name]) for name in ("floor", "room") if place[name])])),
            ("notes", place["notes"]),
            ("then", _then(said)),
            ("promises", f"row {said['sla_rule']}" + ("" if said["targets"] else ": none")),
        )
    )
    zone = ZoneInfo(policy.site.timezone)
    rows = [
        [one["name"], span(one["target_s"]), one["calendar_id"], _due(one["due_at"], zone), one["ladder"]]
        for one in said["targets"]
    ]
    if rows:
        print_rows(("target", "within", "calendar", "due if reported now", "ladder"), rows)


def _need(one: dict[str, Any]) -> str:
    certificates = "".join(f" + {each}" for each in one.get("certificates", ()))
    return f"{one.get('count', 1)} × {one['trade']} level {one.get('min_level', 1)}{certificates}"


def _then(said: dict[str, Any]) -> str:
    if said["goes_to"] == "front_desk":
        return "the front desk says what it is"
    if said["mode"] == "direct":
        return "assigned directly to the best technician"
    return f"offered to the best technician for {span(said['offer_expires_s'] or 0)}, then to the next"


def _due(text: str, zone: ZoneInfo) -> str:
    return local(datetime.fromisoformat(text), zone)
