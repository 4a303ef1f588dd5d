"""What pydantic found wrong with a file, said so that whoever writes the file knows what to write instead."""

from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from dispatch.config_yaml import Path

_A_NAME = "a name of lower-case letters, digits, '_', '.' and '-', at most 64 long"
_EXPECTED = {
    "string_pattern_mismatch": _A_NAME,
    "string_type": "a text (in quotes, if it looks like a number)",
    "tuple_type": "a list",
    "dict_type": "a mapping of `key: value`",
    "model_type": "a mapping of `key: value`",
    "model_attributes_type": "a mapping of `key: value`",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "date_parsing": "a date such as 2026-10-01",
    "date_from_datetime_parsing": "a date such as 2026-10-01",
    "date_type": "a date such as 2026-10-01",
}
_SHOWN = 60


def explain(error: ErrorDetails, model: type[BaseModel]) -> tuple[Path, str, str, bool]:
    """The path, what is wrong there, what was expected, and whether the key is meant and not its value."""
    path: Path = error["loc"]
    kind = error["type"]
    if path and path[-1] == "[key]":
        return path[:-1], f"'{path[-2]}' cannot be a key here", _expected(error), True
    if kind == "missing":
        return path[:-1], f"'{path[-1]}' is missing", f"the key '{path[-1]}'", True
    if kind == "extra_forbidden":
        return path, f"unknown key '{path[-1]}'", _keys(model, path), True
    if kind == "union_tag_invalid":
        context = error["ctx"]
        return path, f"unknown kind '{context['tag']}'", f"one of: {context['expected_tags']}", False
    if kind == "union_tag_not_found":
        return path, "'kind' is missing", "the key 'kind'", True
    return path, _got(error["input"]), _expected(error), False


def _expected(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "literal_error":
        return f"one of: {error['ctx']['expected']}"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    message = error["msg"].removeprefix("Value error, ")
    return message.replace("Input should be", "a value", 1)


def _got(value: object) -> str:
    if value is None:
        return "nothing is given"
    if isinstance(value, dict):
        return "these keys do not go together" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return f"got a list of {len(value)}"
    return f"got {str(value)[:_SHOWN]!r}"


def _keys(model: type[BaseModel], path: Path) -> str:
    found = _model_at(model, path[:-1])
    names = sorted(found.model_fields) if found else []
    near = get_close_matches(str(path[-1]), names, 1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"one of: {', '.join(names)}{hint}"


def _model_at(annotation: Any, path: Path) -> type[BaseModel] | None:
    """The model that the fields along ``path`` lead to, through lists, mappings and optional values."""
    annotation = _bare(annotation)
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    if not path:
        return annotation if is_model else None
    if is_model:
        field = annotation.model_fields.get(str(path[0]))
        return _model_at(field.annotation, path[1:]) if field else None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return _model_at(arguments[1], path[1:])
    return _model_at(arguments[0], path[1:]) if arguments else None


def _bare(annotation: Any) -> Any:
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in {Union, UnionType}:
            annotation = next(each for each in get_args(annotation) if each is not NoneType)
        else:
            return annotation
