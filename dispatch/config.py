"""The one reader of the config folder: YAML in, a checked :class:`~dispatch.rules.policy.Policy` out.

``settings.py`` reads the environment and calls this; nothing else reads these files. Everything wrong is
reported at once, each with file, line, column, what it is and what was expected: first the form of all files
(YAML, keys, types), then, when every part can be read, the references between them.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from dispatch.config_explain import explain
from dispatch.config_yaml import ConfigErrors, ConfigFault, YamlFile
from dispatch.config_yaml import Path as Where
from dispatch.hooks.checks import check_advice, check_hooks
from dispatch.models.advice import AdviceDocument
from dispatch.models.hooks import HooksDocument
from dispatch.models.policy import PolicyDocument
from dispatch.models.roster import Roster
from dispatch.rules.findings import Finding
from dispatch.rules.policy import Policy, compile_policy
from dispatch.rules.policy_checks import check
from dispatch.rules.roster import check_roster
from dispatch.rules.triage_file import ModelError, load, shipped
from dispatch.rules.triage_model import Model

__all__ = [
    "ADVICE_FILE",
    "FILES",
    "HOOKS_FILE",
    "OPTIONAL",
    "ROSTER_FILE",
    "ConfigErrors",
    "ConfigFault",
    "load_advice",
    "load_config",
    "load_hooks",
    "load_model",
    "load_roster",
]

FILES: Final = {
    "site": "site.yaml",
    "territories": "territories.yaml",
    "trades": "trades.yaml",
    "calendars": "calendars.yaml",
    "sla": "sla.yaml",
    "ladders": "ladders.yaml",
    "matching": "matching.yaml",
    "duplicates": "matching.yaml",
    "incidents": "matching.yaml",
    "rework": "matching.yaml",
    "faults": "matching.yaml",
    "reasons": "reasons.yaml",
    "lexicon": "lexicon.yaml",
    "urgency": "urgency.yaml",
    "plans": "plans.yaml",
}
"""Each part of the policy document, and its file; those of ``_KEYS_WITHIN`` are keys of ``matching.yaml``."""

OPTIONAL: Final = frozenset({"plans.yaml", "urgency.yaml"})
"""Files that a folder may be without."""

ROSTER_FILE: Final = "roster.yaml"
HOOKS_FILE: Final = "hooks.yaml"
ADVICE_FILE: Final = "advice.yaml"
"""Of a larger model that is asked for hints; without it nobody is asked."""

_KEYS_WITHIN: Final = frozenset({"duplicates", "incidents", "rework", "faults"})
_Model = TypeVar("_Model", bound=BaseModel)
_Places = dict[str, tuple[YamlFile, Where]]


def load_config(folder: Path) -> Policy:
    """Read, check and compile the policy in ``folder``.

    Raises:
        ConfigErrors: with everything that is wrong.
    """
    wanted = [name for name in dict.fromkeys(FILES.values()) if name not in OPTIONAL or (folder / name).exists()]
    files = {name: _read(folder, name) for name in wanted}
    document = _validated(PolicyDocument, _parts(files), _places(files))
    _refuse(_located(check(document), _places(files)))
    return compile_policy(document)


def load_roster(folder: Path, policy: Policy) -> Roster:
    """Read the roster in ``folder`` and check it against ``policy``.

    Raises:
        ConfigErrors: with everything that is wrong.
    """
    return _load(folder, ROSTER_FILE, Roster, lambda roster: check_roster(roster, policy))


def load_hooks(folder: Path, policy: Policy) -> HooksDocument:
    """Read the hooks in ``folder`` and check them: routes, names, and templates against the fields there are.

    Raises:
        ConfigErrors: with everything that is wrong.
    """
    return _load(folder, HOOKS_FILE, HooksDocument, lambda hooks: check_hooks(hooks, policy))


def load_model(path: Path | None) -> Model:
    """Read a file of the model of triage; without one it is the model in the package.

    Raises:
        ModelError: ``model_damaged`` or ``model_version``, with the file's name.
    """
    if path is None:
        return shipped()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError("model_damaged", f"{path} cannot be read: {error.strerror}") from error
    return load(data, str(path))


def load_advice(folder: Path) -> AdviceDocument:
    """Read what is said of a larger model in ``folder``, and check its address and its options.

    Raises:
        ConfigErrors: with everything that is wrong.
    """
    return _load(folder, ADVICE_FILE, AdviceDocument, check_advice)


def _load(folder: Path, name: str, model: type[_Model], findings_of: Callable[[_Model], Iterable[Finding]]) -> _Model:
    """A document that is one file of the folder."""
    file = _read(folder, name)
    _refuse(file.faults)
    places: _Places = {field: (file, (field,)) for field in model.model_fields}
    document = _validated(model, file.data, places)
    _refuse(_located(findings_of(document), places))
    return document


def _read(folder: Path, name: str) -> YamlFile:
    try:
        return YamlFile(name, (folder / name).read_text("utf-8"))
    except FileNotFoundError:
        problem, expected = "the file is missing", f"it in the folder {folder.name!r}"
    except UnicodeDecodeError as error:
        problem, expected = f"not UTF-8 at byte {error.start}", "text in UTF-8"
    except OSError as error:
        problem, expected = f"the file cannot be read: {error.strerror}", "a readable file"
    file = YamlFile(name, "null")
    file.faults.append(ConfigFault(name, None, problem, expected))
    return file


def _parts(files: dict[str, YamlFile]) -> dict[str, Any]:
    """The document as plain values. A file that could not be read is left out."""
    parts: dict[str, Any] = {}
    for field, name in _present(files):
        data = files[name].data
        if field not in _KEYS_WITHIN:
            if data is not None or not files[name].faults:
                inner = _KEYS_WITHIN if isinstance(data, dict) and name == FILES["matching"] else ()
                parts[field] = {k: v for k, v in data.items() if k not in inner} if inner else data
        elif isinstance(data, dict) and field in data:
            parts[field] = data[field]
    return parts


def _places(files: dict[str, YamlFile]) -> _Places:
    """For each part of the document its file, and the path to it within the file."""
    return {field: (files[name], (field,) if field in _KEYS_WITHIN else ()) for field, name in _present(files)}


def _present(files: dict[str, YamlFile]) -> list[tuple[str, str]]:
    return [(field, name) for field, name in FILES.items() if name in files]


def _validated(model: type[_Model], data: object, places: _Places) -> _Model:
    files = {id(file): file for file, _ in places.values()}
    faults = [fault for file in files.values() for fault in file.faults]
    try:
        document = model.model_validate(data)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            path, what, expected, at_key = explain(each, model)
            file, where = _place(each["loc"], path, places)
            if not (file.data is None and file.faults):
                faults.append(file.fault(where, what, expected, at_key=at_key))
        _refuse(faults)
        raise
    _refuse(faults)
    return document


def _located(findings: Iterable[Finding], places: _Places) -> list[ConfigFault]:
    faults: list[ConfigFault] = []
    for finding in findings:
        file, where = _place(finding.path, finding.path, places)
        faults.append(file.fault(where, finding.what, finding.expected))
    return faults


def _place(loc: Where, path: Where, places: _Places) -> tuple[YamlFile, Where]:
    """The file that ``loc`` lies in, and ``path`` as seen from its root."""
    if not loc or str(loc[0]) not in places:
        return next(iter(places.values()))[0], path
    file, prefix = places[str(loc[0])]
    return file, (*prefix, *path[1:])


def _refuse(faults: list[ConfigFault]) -> None:
    if faults:
        raise ConfigErrors(faults)
