"""A plan file becomes a `Migration`, or every problem in it at once."""

import difflib
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from migrator.errors import InvalidInput
from migrator.plan.check import check
from migrator.plan.document import Document, Path, read, show_path
from migrator.plan.errors import PlanErrors, Problem
from migrator.plan.model import (
    CookieSource,
    HeaderSource,
    Migration,
    MonolithUrl,
    MonolithWorkload,
)

_ONE_OF: Final = ((MonolithWorkload, MonolithUrl), (CookieSource, HeaderSource))
"""Pairs of models of which a mapping is one: told apart by the key that they do not share."""

_PATTERNS: Final = {
    r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$": "expected lower-case letters, digits and single hyphens",
    r"^/": "expected a path that begins with /",
    r"^http://[^/\s?#@]+$": "expected an origin such as http://10.0.0.5:8000",
}


def load(path: FilePath) -> Migration:
    """Read and check the plan file, `-` being standard input.

    Raises `PlanErrors` for what is wrong in it, `InvalidInput` if it cannot be read at all.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_bytes().decode()
    except OSError as error:
        raise InvalidInput(
            f"{path}: cannot read the plan: {error.strerror}",
            hint="`migrator init` writes a plan to start from",
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: the plan is not UTF-8 (byte {error.start})") from None
    return parse(text, str(path))


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
        keys = _keys(path[:-1], document.data)
        if _is_echo(error, path, keys, document.data):
            continue
        if error["type"] == "extra_forbidden":
            message = f"unknown key {path[-1]!r}, expected one of {', '.join(keys)}"
            near = difflib.get_close_matches(str(path[-1]), keys, n=1)
            problem = _at(document, file, path, message, near[0] if near else None)
        elif error["type"] == "missing":
            problem = _at(document, file, path, f"the key {path[-1]!r} is missing", None)
        else:
            problem = _wrong_value(error, path, document, file)
        problems.setdefault(path, problem)
    return list(problems.values())


def _is_echo(error: ErrorDetails, path: Path, keys: Sequence[str], data: Any) -> bool:
    """Whether another error says the same: of a union's other member, or of the value inside."""
    match error["type"]:
        case "extra_forbidden":
            return path[-1] in keys
        case "missing":
            given = _get(path[:-1], data)
            unknown = [str(k) for k in given if k not in keys] if isinstance(given, dict) else []
            misspelt = any(difflib.get_close_matches(name, keys, n=1) for name in unknown)
            return misspelt or _of_another_kind(path, data)
        case "too_short":
            return bool(error["input"])
        case "literal_error":
            return isinstance(error["input"], list)
        case "tuple_type":
            return isinstance(error["input"], str) and error["loc"][-1] != path[-1]
        case _:
            return False


def _wrong_value(error: ErrorDetails, path: Path, document: Document, file: str) -> Problem:
    found = _short(error["input"])
    expected = error["msg"].removeprefix("Value error, ")
    near: list[str] = []
    if error["type"] == "enum" or error["type"] == "literal_error":
        values = [v.strip("'") for v in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        expected = f"expected one of {', '.join(values)}"
        near = difflib.get_close_matches(str(error["input"]), values, n=1)
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
    return _at(document, file, path, f"found {found}, {expected}", near[0] if near else None)


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


def _of_another_kind(path: Path, data: Any) -> bool:
    """Whether the missing key belongs to the member of a union that was not meant."""
    given = _get(path[:-1], data)
    for pair in _ONE_OF:
        own = {key for model in pair for key in model.model_fields}
        if path[-1] in own and isinstance(given, dict) and own & set(given):
            return True
    return False


def _keys(path: Path, data: Any) -> list[str]:
    """The keys that the model knows at `path`."""
    models: list[type[BaseModel]] = [Migration]
    for part in path:
        nested: list[type[BaseModel]] = []
        for model in models:
            if isinstance(part, str) and part in model.model_fields:
                nested += _models(model.model_fields[part].annotation)
            elif not isinstance(part, int):
                nested += [model] if model not in nested else []
        models = nested or models
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every model that `annotation` mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (typing.Union, types.UnionType, dict, tuple, typing.Annotated):
        return [model for part in get_args(annotation) for model in _models(part)]
    return []


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
