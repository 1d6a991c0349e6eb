"""The values of a clause as text: one per line or separated by commas, and back.

A value in quotes is text whatever it looks like, and may have commas. `in` compares with any JSON;
other operators say of what type their values are.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NoReturn

from flags.errors import Rejected
from flags.evaluation import dates, semver

_TEXTS: Final = frozenset({"key", "name", "kind"})
"""Attributes that are always text."""


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError


_JSON: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def parse_values(typed: str, op: str, attribute: str) -> list[Any]:
    """Raises `Rejected` for what the operator cannot compare with."""
    read = _reader(op, attribute)
    return [
        raw if quoted and op not in _CHECKED else read(raw)
        for line in typed.replace("\r\n", "\n").split("\n")
        for raw, quoted in _tokens(line, read is _any)
    ]


def show_values(values: Sequence[Any], op: str, attribute: str) -> str:
    """One per line; `parse_values` gives the same values again."""
    return "\n".join(_shown(value, op, attribute) for value in values)


def _shown(value: Any, op: str, attribute: str) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    try:
        plain = value.isprintable() and parse_values(value, op, attribute) == [value]
    except Rejected:
        plain = False
    return value if plain else json.dumps(value, ensure_ascii=not value.isprintable())


def _tokens(line: str, documents: bool) -> Iterator[tuple[str, bool]]:
    """What commas separate, and whether it stood in quotes. `documents`: lists and objects, too."""
    at = 0
    while at < len(line):
        if line[at].isspace() or line[at] == ",":
            at += 1
            continue
        if line[at] == '"' or (documents and line[at] in "[{"):
            try:
                value, end = _JSON.raw_decode(line, at)
            except (ValueError, RecursionError):
                pass
            else:
                if not line[end:].strip() or line[end:].lstrip().startswith(","):
                    yield (value, True) if isinstance(value, str) else (line[at:end], False)
                    at = end
                    continue
        end = line.find(",", at)
        end = len(line) if end < 0 else end
        yield line[at:end].strip(), False
        at = end


def _text(raw: str) -> Any:
    return raw


def _any(raw: str) -> Any:
    """A number, true, false or null as JSON writes it; else text."""
    try:
        found = _JSON.decode(raw)
    except (ValueError, RecursionError):
        return raw
    return raw if isinstance(found, float) and not math.isfinite(found) else found


def _number(raw: str) -> Any:
    found = _any(raw)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Rejected(f"values: expected a number, found {raw[:40]!r}")
    return found


def _moment(raw: str) -> Any:
    found = _any(raw)
    if isinstance(found, int | float) and not isinstance(found, bool):
        return found
    if dates.parse(raw) is None:
        raise Rejected(
            "values: expected a date with time zone such as 2030-01-31T06:00:00Z, or epoch "
            f"milliseconds, found {raw[:40]!r}"
        )
    return raw


def _version(raw: str) -> Any:
    if semver.parse(raw) is None:
        raise Rejected(f"values: expected a version such as 2.1.0, found {raw[:40]!r}")
    return raw


def _pattern(raw: str) -> Any:
    try:
        re.compile(raw)
    except (re.error, RecursionError, OverflowError) as error:
        raise Rejected(f"values: {raw[:40]!r} is no regular expression: {error}") from None
    return raw


_READERS: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "in": _any,
        **dict.fromkeys(
            ("lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"), _number
        ),
        **dict.fromkeys(("before", "after"), _moment),
        **dict.fromkeys(("semVerEqual", "semVerLessThan", "semVerGreaterThan"), _version),
        "matches": _pattern,
    }
)
_CHECKED: Final = frozenset(_READERS) - {"in"}


def _reader(op: str, attribute: str) -> Callable[[str], Any]:
    if op == "in" and attribute in _TEXTS:
        return _text
    return _READERS.get(op, _text)
