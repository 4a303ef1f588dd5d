"""``dispatch check``: the config folder, as the engine would read it."""

from itertools import chain
from pathlib import Path
from typing import Any

import click

from dispatch.cli.group import FOUND, make_command
from dispatch.cli.options import as_json
from dispatch.cli.output import print_facts, print_json, print_json_lines, say
from dispatch.config import (
    ADVICE_FILE,
    HOOKS_FILE,
    ROSTER_FILE,
    ConfigErrors,
    ConfigFault,
    load_advice,
    load_config,
    load_hooks,
    load_roster,
)
from dispatch.models.hooks import HooksDocument
from dispatch.models.roster import Roster
from dispatch.rules.policy import Policy
from dispatch.settings import read_settings


@make_command("check", example="dispatch check config\ndispatch check --json config | jq .line")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@as_json
@click.pass_context
def command(ctx: click.Context, folder: Path | None, *, as_json: bool) -> None:
    """Check FOLDER (default: DISPATCH_CONFIG, else config): its policy, roster, hooks and advice.

    Every error is told with file, line and column; then the exit code is 1. Needs no server.
    """
    where = folder if folder is not None else read_settings().config
    try:
        policy = load_config(where)
        roster = load_roster(where, policy) if (where / ROSTER_FILE).exists() else None
        hooks = load_hooks(where, policy) if (where / HOOKS_FILE).exists() else None
        advice = load_advice(where) if (where / ADVICE_FILE).exists() else None
    except ConfigErrors as errors:
        _tell(where, errors.errors, as_json=as_json)
        ctx.exit(FOUND)
    summary = _summary(policy, roster, hooks)
    if advice is not None:
        summary["advice"] = f"{advice.model} by {advice.name}"
    if as_json:
        print_json(summary)
    else:
        print_facts(summary.items(), title=f"{where} is in order")


def _tell(folder: Path, faults: list[ConfigFault], *, as_json: bool) -> None:
    if as_json:
        print_json_lines(
            {"file": each.file, "line": each.line, "column": each.column, "what": each.what, "expected": each.expected}
            for each in faults
        )
        return
    for each in faults:
        at = "".join(f":{number}" for number in (each.line, each.column) if number is not None)
        expected = f"; expected {each.expected}" if each.expected else ""
        click.echo(f"{click.style(f'{folder / each.file}{at}', bold=True)}: {each.what}{expected}")
    say(f"{len(faults)} {'error' if len(faults) == 1 else 'errors'}")


def _summary(policy: Policy, roster: Roster | None, hooks: HooksDocument | None) -> dict[str, Any]:
    document = policy.document
    lexicon = document.lexicon
    words = chain(lexicon.trades.values(), lexicon.symptoms.values(), lexicon.emergencies.values())
    people = roster.technicians if roster else ()
    return {
        "version": policy.version,
        "tenant": policy.tenant,
        "timezone": policy.site.timezone,
        "territories": len(policy.territories),
        "areas": len(policy.areas),
        "trades": len(policy.trades),
        "calendars": len(document.calendars),
        "sla_rows": len(document.sla),
        "ladders": len(document.ladders),
        "match_modes": len(document.matching.modes),
        "hold_reasons": len(document.reasons.hold),
        "words": sum(len(each.zh) + len(each.en) for each in words),
        "technicians": len(people),
        "weekly_shifts": sum(len(shift.days) for each in people for shift in each.shifts),
        "hooks": len(hooks.hooks) if hooks else 0,
        "routes": len(hooks.routes) if hooks else 0,
        "templates": len(hooks.templates) if hooks else 0,
    }
