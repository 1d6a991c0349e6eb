"""A plan file becomes a `Migration`, or every problem in it at once."""

import contextlib
import sys
import types
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from migrator.errors import InvalidInput
from migrator.plan.check import check
from migrator.plan.document import MAX_SIZE, Document, Path, read, show_path
from migrator.plan.errors import PlanErrors, Problem, nearest
from migrator.plan.model import TIME_OF_DAY, Migration
from routing.config.base import ORIGIN

_PATTERNS: Final = {
    r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$": "expected lower-case letters, digits and single hyphens",
    r"^/": "expected a path that begins with /",
    r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$": (
        "expected an address such as https://app.launchdarkly.com"
    ),
    r"^https?://[^/\s?#@]+$": "expected an origin such as http://10.0.0.5:8000",
    f"^{ORIGIN.pattern}$": "expected an origin such as https://10.0.0.5:8443",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "expected letters, digits and underscores, no digit first",
    r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$": "expected a name of HTTP (RFC 9110 token)",
    TIME_OF_DAY: "expected a time of day such as 08:30",
    r"^[A-Za-z0-9._-]+$": "expected letters, digits, dots, hyphens and underscores",
}


def load(path: FilePath) -> Migration:
    """Read and check the plan file, `-` being standard input.

    Raises `PlanErrors` for what is wrong in it, `InvalidInput` if it cannot be read at all.
    """
    try:
        text = _bytes(path).decode()
    except OSError as error:
        raise InvalidInput(
            f"{path}: cannot read the plan: {error.strerror}",
            hint="`migrator init` writes a plan to start from",
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: the plan is not UTF-8 (byte {error.start})") from None
    return parse(text, str(path))


def _bytes(path: FilePath) -> bytes:
    with contextlib.ExitStack() as stack:
        file = sys.stdin.buffer if str(path) == "-" else stack.enter_context(path.open("rb"))
        data = file.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        raise InvalidInput(f"{path}: the plan is larger than {MAX_SIZE} bytes")
    return data


def parse(text: str, file: str) -> Migration:
    """The plan in `text`. Raises `PlanErrors`; `file` is what they call it."""
    document = read(text, file)
    try:
        plan = Migration.model_validate(document.data)
    except ValidationError as error:
        raise PlanErrors(_problems(error.errors(), document, file), text) from None
    found = [
        _at(document, file, finding.path, finding.message, finding.suggestion)
        for finding in check(plan, lambda path: document.place(path)[0])
    ]
    if found:
        raise PlanErrors(found, text)
    return plan


def _problems(errors: Sequence[ErrorDetails], document: Document, file: str) -> list[Problem]:
    problems: dict[Path, Problem] = {}
    for error in errors:
        path = _document_path(error["loc"], document.data)
        models = _models_at(path[:-1])
        keys = list(
            dict.fromkeys(
                field.alias or key for model in models for key, field in model.model_fields.items()
            )
        )
        suggestion = None
        if error["type"] in {"extra_forbidden", "missing"} and len(models) > 1:
            told = _which_of(models, _get(path[:-1], document.data))
            if told is not None and path[-1] in keys:
                problems.setdefault(path[:-1], _at(document, file, path[:-1], told, None))
                continue
        if _is_echo(error, path, keys, document.data):
            continue
        if error["type"] == "extra_forbidden":
            message = f"unknown key {path[-1]!r}, expected one of {', '.join(keys)}"
            suggestion = nearest(str(path[-1]), keys)
        elif error["type"] == "missing":
            message = f"the key {path[-1]!r} is missing"
        else:
            message, suggestion = _wrong_value(error)
        problems.setdefault(path, _at(document, file, path, message, suggestion))
    return list(problems.values())


def _which_of(models: Sequence[type[BaseModel]], given: Any) -> str | None:
    """What is wrong where a mapping is one of `models`, told apart by the first key that only one
    of them has."""
    keys = [key for model in models for key in model.model_fields]
    names = [next(k for k in model.model_fields if keys.count(k) == 1) for model in models]
    present = [name for name in names if isinstance(given, dict) and name in given]
    if len(present) > 1:
        return f"found {' and '.join(present)}, expected one of them"
    if present or not isinstance(given, dict) or any(key not in keys for key in given):
        return None
    return f"found {', '.join(map(str, given)) or 'nothing'}, expected {' or '.join(names)}"


def _is_echo(error: ErrorDetails, path: Path, keys: Sequence[str], data: Any) -> bool:
    """Whether another error says the same: of a union's other member, or of the value inside."""
    match error["type"]:
        case "extra_forbidden":
            return path[-1] in keys
        case "missing":
            given = _get(path[:-1], data)
            unknown = [str(k) for k in given if k not in keys] if isinstance(given, dict) else []
            misspelt = any(nearest(name, keys) for name in unknown)
            return misspelt or (len(_models_at(path[:-1])) > 1 and bool(given))
        case "too_short":
            return bool(error["input"])
        case "literal_error":
            return isinstance(error["input"], list) and error["loc"][-1] != path[-1]
        case "tuple_type":
            return isinstance(error["input"], str) and error["loc"][-1] != path[-1]
        case _:
            return False


def _wrong_value(error: ErrorDetails) -> tuple[str, str | None]:
    """What was found and what was expected, and what was perhaps meant."""
    found = _short(error["input"])
    expected = error["msg"].removeprefix("Value error, ")
    near: str | None = None
    if error["type"] == "enum" or error["type"] == "literal_error":
        values = [v.strip("'") for v in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        expected = f"expected one of {', '.join(values)}"
        near = nearest(str(error["input"]), values)
    elif error["type"] == "too_short":
        expected = "expected at least one"
    elif error["type"] == "string_pattern_mismatch":
        expected = _PATTERNS.get(error["ctx"]["pattern"], f"expected {error['ctx']['pattern']}")
    elif error["type"] in {"model_type", "dict_type"}:
        expected = "expected a mapping"
    elif error["type"] in {"tuple_type", "list_type"}:
        expected = "expected a list"
    elif error["type"] == "string_type":
        expected = "expected text" + (", in quotes" if isinstance(error["input"], int) else "")
    elif not expected.startswith("expected"):
        expected = expected[:1].lower() + expected[1:]
    return f"found {found}, {expected}", near


def _document_path(loc: Sequence[str | int], data: Any) -> Path:
    """`loc` without the names of union members that pydantic puts in between."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(data, dict) and (part in data or (last and "[" not in str(part))):
            if part == "[key]":
                break
            path.append(part)
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            path.append(part)
            data = data[part] if part < len(data) else None
    return tuple(path)


def _models_at(path: Path) -> list[type[BaseModel]]:
    """The models of which the mapping at `path` may be one."""
    annotations: list[Any] = [Migration]
    for part in path:
        annotations = [inner for outer in annotations for inner in _inside(outer, part)]
    members = dict.fromkeys(member for each in annotations for member in _members(each))
    return [each for each in members if isinstance(each, type) and issubclass(each, BaseModel)]


def _inside(annotation: Any, part: str | int) -> list[Any]:
    """The annotations of the member `part` of a value of `annotation`."""
    found: list[Any] = []
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            if part in member.model_fields:
                found.append(member.model_fields[str(part)].annotation)
        elif get_origin(member) is (tuple if isinstance(part, int) else dict):
            found.append(get_args(member)[0 if isinstance(part, int) else 1])
    return found


def _members(annotation: Any) -> list[Any]:
    """`annotation` without `Annotated`, or the members of the union that it is."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation]


def _get(path: Path, data: Any) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
    return data


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _at(document: Document, file: str, path: Path, message: str, suggestion: str | None) -> Problem:
    line, column = document.place(path)
    return Problem(
        file=file,
        line=line,
        column=column,
        path=show_path(path),
        message=message,
        suggestion=suggestion,
    )
