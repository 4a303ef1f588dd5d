"""Every error that the package raises on purpose, split by whose fault it is.

    DispatchError
    ├── Rejected          theirs: the input is wrong; sent again it will be wrong again
    ├── Conflict          nobody's: somebody else was first; reload and try again
    │   └── Fenced        a newer writer holds this territory; stop writing to it
    └── Broken            ours, or the operator's: someone must change something
        ├── ConfigError   a file in the config folder is wrong, and where
        └── LaneError     topics, partitions or positions do not fit, and what to do

`Rejected` becomes a dead letter, `Conflict` a retry, `Broken` ends the process.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pydantic import ValidationError


class DispatchError(Exception):
    """The root: catch this to catch whatever the package raises on purpose."""


class Fault(TypedDict):
    """One thing wrong with an input: `path` is dotted (`items.0.text`), `message` is for people."""

    path: str
    message: str


class Rejected(DispatchError):  # noqa: N818 -- a verdict on an input, named as the log names it
    """An input that cannot be accepted. `code` is stable: dashboards and senders may rely on it."""

    def __init__(self, code: str, message: str, path: str = "", *, errors: Sequence[Fault] = ()) -> None:
        """One fault given by `message` and `path`, or all of them in `errors`."""
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.errors: list[Fault] = list(errors) or [{"path": path, "message": message}]

    def __str__(self) -> str:
        """The code, then every fault: one line for the log."""
        told = "; ".join(f"{e['path']}: {e['message']}" if e["path"] else e["message"] for e in self.errors)
        return f"{self.code}: {told}"


class Conflict(DispatchError):  # noqa: N818 -- not a failure: the caller reloads and tries again
    """Somebody else was first. Reload, compare, try again."""


class Fenced(Conflict):
    """A newer writer has saved this territory: whoever gets this must stop writing to it."""


class Broken(DispatchError):  # noqa: N818 -- names a state that an operator has to end
    """Something of ours, or of the operator's, has to be changed before work can go on."""


class ConfigError(Broken):
    """A file of the config folder is wrong: which, on which line (from 1), what, and what was expected."""

    def __init__(self, file: str, line: int | None, what: str, expected: str = "") -> None:
        """`expected` completes the sentence "expected …" and may be left empty."""
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {what}" + (f"; expected {expected}" if expected else ""))
        self.file = file
        self.line = line
        self.what = what
        self.expected = expected


class LaneError(Broken):
    """A lane cannot be served as the cluster stands; `todo` tells the operator what to do about it."""

    def __init__(self, what: str, todo: str) -> None:
        """`what` is wrong, and `todo` sets it right."""
        super().__init__(f"{what}. {todo}")
        self.what = what
        self.todo = todo


_CODES: Mapping[str, str] = {
    "json_invalid": "not-json",
    "missing": "missing-field",
    "timezone_aware": "naive-time",
    "int_from_float": "wrong-type",
}


def code_of(error_type: str) -> str:
    """The stable code for one of pydantic's error types."""
    known = _CODES.get(error_type)
    if known is not None:
        return known
    return "wrong-type" if error_type.endswith("_type") else "invalid-value"


def rejected(error: "ValidationError") -> Rejected:
    """What pydantic found, as `Rejected`: code of the first fault, all faults by path, and no input values.

    Codes: `not-json`, `missing-field`, `wrong-type`, `naive-time`, `invalid-value`.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    faults: list[Fault] = [{"path": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in found]
    code = code_of(found[0]["type"])
    return Rejected(code, faults[0]["message"], errors=faults)
