"""Differences of two JSON documents.

Pure. Written as generators that pause (yield None) now and then, so that whoever runs them can do
something else in between. Without recursion: how deep a document is says its author.
"""

import json
import re
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import repeat
from typing import Any, Final

from routing.parity.difference import ABSENT, Absent, Difference, Kind, name_of
from routing.parity.rules import Rules

PAUSE_EVERY: Final = 200
"""Values."""
MAX_DEPTH: Final = 100
"""Names and indices in a path. What is deeper is one value."""
_TIME: Final = "<time>"
_ID: Final = "<id>"


def parse(data: bytes) -> Any:
    """The JSON document. Raises ValueError, RecursionError."""
    return json.loads(data, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def document_differences(
    old: Any, new: Any, rules: Rules, path: str = "body"
) -> Generator[Difference | None, None, None]:
    """What differs; None is a pause."""
    open_: list[Iterator[tuple[str, Any, Any]]] = [iter(((path, old, new),))]
    looked = 0
    while open_:
        pair = next(open_[-1], None)
        if pair is None:
            open_.pop()
            continue
        looked += 1
        if looked % PAUSE_EVERY == 0:
            yield None
        path, old, new = pair
        if rules.ignores(path):
            continue
        rule = rules.rule(path)
        if isinstance(old, Absent) or isinstance(new, Absent):
            kind = Kind.EXTRA if isinstance(old, Absent) else Kind.MISSING
            yield Difference(path, kind, old, new)
        elif isinstance(old, dict) and isinstance(new, dict) and len(open_) <= MAX_DEPTH:
            open_.append(_members(path, old, new))
        elif isinstance(old, list) and isinstance(new, list) and len(open_) <= MAX_DEPTH:
            if len(old) != len(new):
                yield Difference(path, Kind.LENGTH, old, new)
            if rule is not None and rule.kind == "unordered":
                old, new = yield from _rest(old, new, rules, f"{path}[]", len(open_))
            open_.append(zip(repeat(f"{path}[]"), old, new))
        elif _type(old) != _type(new):
            yield Difference(path, Kind.TYPE, old, new)
        elif not agree(old, new, rules, path):
            yield Difference(path, Kind.VALUE, old, new)


def _members(path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in dict.fromkeys((*old, *new)):
        yield f"{path}.{name_of(key)}", old.get(key, ABSENT), new.get(key, ABSENT)


def _rest(
    old: list[Any], new: list[Any], rules: Rules, path: str, depth: int
) -> Generator[None, None, tuple[list[Any], list[Any]]]:
    """Of two lists without order: what has no counterpart in the other one. `path`: of members."""
    olds = yield from _sorted(old, rules, path, depth)
    news = yield from _sorted(new, rules, path, depth)
    rest_old: list[Any] = []
    rest_new: list[Any] = []
    i = j = 0
    while i < len(olds) or j < len(news):
        if j == len(news) or (i < len(olds) and olds[i][0] < news[j][0]):
            rest_old.append(old[olds[i][1]])
            i += 1
        elif i == len(olds) or news[j][0] < olds[i][0]:
            rest_new.append(new[news[j][1]])
            j += 1
        else:
            i, j = i + 1, j + 1
    return rest_old, rest_new


def _sorted(
    members: list[Any], rules: Rules, path: str, depth: int
) -> Generator[None, None, list[tuple[str, int]]]:
    """A key and the index of each."""
    keys = []
    for index, each in enumerate(members):
        if index % 50 == 0:
            yield
        keys.append((_key(each, rules, path, depth), index))
    return sorted(keys)


def _key(value: Any, rules: Rules, path: str, depth: int) -> str:
    """The same text for values that agree, but for tolerances of numbers and times."""
    return json.dumps(_plain(value, rules, path, depth), sort_keys=True)


def _plain(value: Any, rules: Rules, path: str, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        return json.dumps(value, sort_keys=True)
    if isinstance(value, dict):
        named = ((key, f"{path}.{name_of(key)}") for key in value)
        return {
            key: _plain(value[key], rules, below, depth + 1)
            for key, below in named
            if not rules.ignores(below)
        }
    if isinstance(value, list):
        below = f"{path}[]"
        plain = [_plain(each, rules, below, depth + 1) for each in value]
        rule = rules.rule(path)
        if rule is not None and rule.kind == "unordered":
            plain.sort(key=lambda each: json.dumps(each, sort_keys=True))
        return plain
    return value_of(value, rules, path)


def value_of(value: Any, rules: Rules, path: str) -> Any:
    """A single value with what the rules take out of it."""
    rule = rules.rule(path)
    if rule is None:
        return value
    if rule.kind == "regex" and rule.pattern is not None and isinstance(value, str):
        return re.sub(rule.pattern, rule.replacement, value)
    if rule.kind == "id" and isinstance(value, str | int) and not isinstance(value, bool):
        return _ID if value != "" else value
    if rule.kind == "timestamp" and rule.tolerance is None and seconds(value) is not None:
        return _TIME
    return value


def agree(old: Any, new: Any, rules: Rules, path: str) -> bool:
    """Whether two single values of one type are the same as far as the rules go."""
    rule = rules.rule(path)
    if rule is not None and rule.tolerance is not None:
        read = _number if rule.kind == "tolerance" else seconds
        a, b = read(old), read(new)
        if a is not None and b is not None:
            return abs(a - b) <= rule.tolerance
    return bool(value_of(old, rules, path) == value_of(new, rules, path))


def seconds(value: object) -> float | None:
    """Seconds since 1970 of a time as RFC 3339, RFC 9110 or a number have it; None: it is none.
    A number above 1e11 is taken for milliseconds."""
    number = _number(value)
    if number is not None:
        return number / 1000 if number > 1e11 else number
    if not isinstance(value, str) or not 8 <= len(value) <= 64:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            time = read(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return None


def _number(value: object) -> float | None:
    """As a float; None: it is no number, or one that is too large."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _type(value: object) -> str:
    """JSON's: 1 and 1.0 are both numbers, true is not."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
