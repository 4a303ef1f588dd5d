"""YAML in which every value remembers its line: what :mod:`dispatch.config` reads its files with.

Scalars are read as YAML 1.2 reads them: only ``true`` and ``false`` are booleans, and ``no``, ``on``,
``08:30``, ``0012`` and ``2026-10-01`` are the texts they look like. A key that occurs twice is an error.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import yaml

from dispatch.errors import ConfigError

Path = tuple[str | int, ...]
Position = tuple[int, int]

_TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:0|[-+]?[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
)


class ConfigFault(ConfigError):  # noqa: N818 - one of ConfigErrors
    """One thing wrong in a file; ``column`` counts from 1, like ``line``."""

    def __init__(self, file: str, position: Position | None, what: str, expected: str = "") -> None:
        """``position`` is line and column, None if the whole file is meant."""
        super().__init__(file, position[0] if position else None, what, expected)
        self.column = position[1] if position else None


class ConfigErrors(ConfigError):  # noqa: N818 - several
    """Everything found wrong, by file and line; as an error it is the first of them, its text tells all."""

    def __init__(self, errors: Iterable[ConfigFault]) -> None:
        """``errors`` must not be empty."""
        self.errors = sorted(errors, key=lambda each: (each.file, each.line or 0, each.column or 0))
        first = self.errors[0]
        super().__init__(first.file, first.line, first.what, first.expected)

    def __str__(self) -> str:
        """One line for each error."""
        return "\n".join(str(each) for each in self.errors)


class YamlFile:
    """One file: its ``data`` (None if it cannot be read), its ``faults``, and where each value stands."""

    def __init__(self, name: str, text: str) -> None:
        """Parse ``text``; ``name`` is how errors call the file."""
        self.name = name
        self.data: Any = None
        self.faults: list[ConfigFault] = []
        self._keys: dict[Path, Position] = {}
        self._values: dict[Path, Position] = {(): (1, 1)}
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            self.faults.append(_syntax(name, error))
            return
        if node is None:
            self.faults.append(ConfigFault(name, (1, 1), "the file is empty", "its content"))
            return
        self.data = self._value(node, (), ())

    def position(self, path: Path, *, at_key: bool = False) -> Position:
        """Line and column of what ``path`` leads to, or of the nearest thing around it that exists."""
        for length in range(len(path), -1, -1):
            part = path[:length]
            if at_key and part in self._keys:
                return self._keys[part]
            if part in self._values:
                return self._values[part]
        return (1, 1)

    def fault(self, path: Path, what: str, expected: str, *, at_key: bool = False) -> ConfigFault:
        """An error at the place that ``path`` leads to."""
        return ConfigFault(self.name, self.position(path, at_key=at_key), what, expected)

    def _value(self, node: yaml.Node, path: Path, around: tuple[yaml.Node, ...]) -> Any:
        if any(node is each for each in around):
            self.faults.append(ConfigFault(self.name, _at(node), "an anchor that contains itself", "a tree"))
            return None
        self._values.setdefault(path, _at(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*around, node))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(each, (*path, n), (*around, node)) for n, each in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path, around: tuple[yaml.Node, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.append(ConfigFault(self.name, _at(key_node), "a key that is not a word", "a word"))
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in found:
                what = f"the key '{key}' occurs twice, first on line {self._keys[here][0]}"
                self.faults.append(ConfigFault(self.name, _at(key_node), what, "each key once"))
                continue
            self._keys[here] = _at(key_node)
            if not isinstance(value_node, yaml.ScalarNode):
                self._values[here] = _at(key_node)
            found[key] = self._value(value_node, here, around)
        return found

    def _scalar(self, node: yaml.Node) -> str | int | float | bool | None:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "str":
                return text
            case other:
                self.faults.append(ConfigFault(self.name, _at(node), f"the tag {other}", "a plain value"))
                return None


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times quicker, where there is one


class _Loader(_Base):  # type: ignore[misc]
    """Composes nodes; the implicit types of YAML 1.1 are replaced by those of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own way


for _kind, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(_pattern), list(_first))


def _at(node: yaml.Node) -> Position:
    return (node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax(name: str, error: yaml.YAMLError) -> ConfigFault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return ConfigFault(name, position, f"not YAML: {what}", "well-formed YAML, indented with spaces")
