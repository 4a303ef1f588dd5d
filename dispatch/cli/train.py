"""``dispatch train``: a model of triage that has learnt from what people made of orders."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from dispatch.cli.group import FOUND, make_command
from dispatch.cli.learner import Taught, train
from dispatch.cli.log_events import events_of
from dispatch.cli.moments import Since
from dispatch.cli.options import as_json, with_settings
from dispatch.cli.output import print_facts, print_json, say, to_json
from dispatch.rules.lessons import Lesson, learn
from dispatch.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)
_EXAMPLE = """\
dispatch train --from-log
dispatch train --from-log --since 90d --examples lessons.jsonl --out triage-ours.bin
dispatch classify --compare shipped triage-ours.bin --from-log"""


@make_command("train", example=_EXAMPLE)
@click.option("--from-log", is_flag=True, help="Learn from dispatch.work-orders.")
@click.option("--log", "file", type=_FILE, help="Learn from a file instead: its events as JSON lines, one each.")
@click.option("--since", type=Since(), help="Only from what was corrected or completed since then.")
@click.option("--corpus", type=click.Path(path_type=Path), metavar="FOLDER", help="The corpus [that of the checkout].")
@click.option("--examples", type=_FILE, help="Where the lessons go as JSON lines, to be read; it is overwritten.")
@click.option("--out", type=_FILE, help="Where the model goes; it is overwritten. Without it nothing is trained.")
@as_json
@with_settings("kafka")
@click.pass_context
def command(
    ctx: click.Context,
    settings: Settings,
    file: Path | None,
    since: datetime | None,
    corpus: Path | None,
    examples: Path | None,
    out: Path | None,
    *,
    from_log: bool,
    as_json: bool,
) -> None:
    """Learn triage anew, from the corpus and from the log: what people corrected, and what they left and mended.

    Without --out it only tells what there is to learn. The same log and corpus give the same bytes on the same kind of
    machine. Training needs scikit-learn (the extra `train`) and the project's corpus, takes some minutes, and changes
    no engine: name the file in DISPATCH_TRIAGE_SHADOW to try it on live reports, and in DISPATCH_TRIAGE_MODEL to let
    it decide.
    """
    if from_log is (file is not None):
        raise click.UsageError("Give either --from-log or --log FILE.")
    found = learn(events_of(settings, file), since)
    if examples is not None:
        _write(examples, "".join(f"{to_json(_example(each))}\n" for each in found.lessons).encode())
    taught = train(corpus, found.lessons, progress=say) if out is not None and found.lessons else None
    if taught is not None and out is not None:
        _write(out, taught.data)
    document = {"orders": found.counts, "lessons": len(found.lessons), **_trained(taught, out)}
    if as_json:
        print_json(document)
    else:
        print_facts([*((f"orders {name}", count) for name, count in found.counts.items()), *list(document.items())[1:]])
    if not found.lessons:
        say("the log teaches nothing (yet): nobody has corrected an order, and none that was left as it is was mended")
        ctx.exit(FOUND)


def _example(lesson: Lesson) -> dict[str, Any]:
    """What people may read of a lesson: neither order nor person stands in it."""
    return {
        "text": lesson.text,
        "basis": lesson.basis,
        "weight": lesson.weight,
        "label": lesson.label,
        "said": lesson.said,
        "model_version": lesson.model_version,
    }


def _trained(taught: Taught | None, out: Path | None) -> dict[str, Any]:
    if taught is None:
        return {}
    return {
        "learnt": taught.lessons,
        "held_out": taught.held_out,
        "version": taught.version,
        "file": str(out),
        "bytes": len(taught.data),
    }


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: an engine may be about to read it."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(data)
    beside.replace(path)
