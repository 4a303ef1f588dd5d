"""Writes ``docs/lifecycle.md`` from the table of moves: ``python -m dispatch.lifecycle_doc [--check]``."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dispatch.rules.lifecycle import BY_ITSELF, CREW, FINAL, MOVES, OPEN, SAME, Move

PAGE = Path(__file__).parents[1] / "docs" / "lifecycle.md"
STATES = (
    *("open", "offered", "assigned", "accepted", "en_route", "in_progress", "on_hold", "awaiting_approval"),
    *("completed", "confirmed", "closed", "cancelled", "refused", "merged"),
)
WORK = ("accept", "depart", "arrive", "start", "hold", "no_access", "resume", "complete", "decline", "return_order")
INTO = {"accept": "accepted", "depart": "en_route", "arrive": "en_route", "start": "in_progress"}
"""Where the lead's own report leads when the order has no other crew."""

TEXT = """\
# The lifecycle of a work order

Written by `python -m dispatch.lifecycle_doc` from the table in `dispatch/rules/lifecycle.py`; a test keeps it true.

An order's state is that of the leg that is furthest: "{crew}" is any of the states from open to on_hold.
"{same}" means that the action leaves the state alone. A late report is taken in some states as a fact that changes
none: it is recorded with the time at which it was true, and may correct a verdict.

```mermaid
stateDiagram-v2
    [*] --> open
{diagram}
```

## Who may do what

| action | roles | in these states | leads to | late in |
|---|---|---|---|---|
{rows}

## What happens by itself

| from | to | when |
|---|---|---|
{by_itself}
"""


def page() -> str:
    """The whole page."""
    return TEXT.format(
        crew=_plain(CREW),
        same=_plain(SAME),
        diagram="\n".join(_arrows()),
        rows="\n".join(_row(action, move) for action, move in MOVES.items()),
        by_itself="\n".join(f"| {_plain(before)} | {_plain(after)} | {why} |" for before, after, why in BY_ITSELF),
    )


def _arrows() -> Iterator[str]:
    """One arrow for each pair of states, with all that leads from the one to the other."""
    found: dict[tuple[str, str], list[str]] = {("open", "offered"): ["matched"], ("open", "assigned"): ["matched"]}
    for action, move in MOVES.items():
        for state in _sorted(move.states):
            to = _one_state(action, state, move)
            if to is not None and to != state:
                found.setdefault((state, to), []).append(action)
    found.setdefault(("offered", "open"), []).append("silence")
    found.setdefault(("completed", "confirmed"), []).append("silence")
    found.setdefault(("confirmed", "closed"), []).append("at once")
    for (before, after), actions in sorted(found.items(), key=lambda one: tuple(map(STATES.index, one[0]))):
        yield f"    {before} --> {after}: {', '.join(actions)}"
    for state in _sorted(FINAL):
        yield f"    {state} --> [*]"


def _one_state(action: str, state: str, move: Move) -> str | None:
    """The one state that an action leads to from a state, for a crew of one; None when it is not one."""
    if move.to == SAME:
        return None
    if action == "confirm":
        return "confirmed"
    if move.to != CREW:
        return move.to
    if action in INTO and state not in {"on_hold", "open"} and _is_later(INTO[action], state):
        return INTO[action]
    if action in {"decline", "return_order"}:  # an offer is declined, work that was taken is returned
        return "open" if action == "return_order" or state in {"offered", "assigned"} else None
    return {"resume": "in_progress", "decide_approval": "in_progress", "assign": "assigned"}.get(action)


def _is_later(one: str, other: str) -> bool:
    return STATES.index(one) > STATES.index(other)


def _row(action: str, move: Move) -> str:
    states = "every open one" if move.states == OPEN else ", ".join(_sorted(move.states))
    roles = ", ".join(sorted(move.roles))
    return f"| {action} | {roles} | {states} | {_plain(move.to)} | {', '.join(_sorted(move.late))} |"


def _sorted(states: Iterable[str]) -> list[str]:
    return sorted(states, key=STATES.index)


def _plain(state: str) -> str:
    return state.strip("<>")


def main(arguments: Sequence[str]) -> int:
    """Write the page; with ``--check`` only say whether it is what it should be."""
    fresh = page()
    if "--check" not in arguments:
        PAGE.write_text(fresh, "utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == fresh:
        return 0
    sys.stderr.write(f"{PAGE.name} is stale: run python -m dispatch.lifecycle_doc\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
