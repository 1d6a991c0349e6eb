"""What clauses compare with, except `segmentMatch`: each operator takes the context's value first.

A value of another type than the operator's never matches. Only what flags say is cached, never what
contexts say. The tests of operands are those of the SDK, also in the order that decides which
errors are seen.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeGuard

import regex

from flags.evaluation import dates, semver

Operator = Callable[[Any, Any], bool]
LONGEST_SEARCH: Final = 0.05
"""Seconds: some patterns would search some texts for years, and everybody else waits."""
LONGEST_STOPPABLE: Final = 300
"""Characters of a pattern."""

_CACHED: Final = 1024


def matches_any(op: str, have: Any, wants: Sequence[Any]) -> bool:
    if op == "in" and isinstance(have, str):
        return have in wants  # much the most frequent, and lists may be long
    test = OPERATORS[op]
    return any(test(have, want) for want in wants)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(have: Any, want: Any) -> bool:
    """A boolean is no number; within lists and objects Python's, and so the SDK's, rules hold."""
    return isinstance(have, bool) == isinstance(want, bool) and bool(have == want)


def _texts(test: Callable[[str, str], bool]) -> Operator:
    return lambda have, want: isinstance(have, str) and isinstance(want, str) and test(have, want)


def _numbers(test: Callable[[float, float], bool]) -> Operator:
    return lambda have, want: (
        _is_number(have) and _is_number(want) and test(float(have), float(want))
    )


def _moments(test: Callable[[float, float], bool]) -> Operator:
    def compare(have: Any, want: Any) -> bool:
        limit = _wanted_moment(want) if isinstance(want, str) else _moment(want)
        if limit is None:
            return False
        moment = _moment(have)
        return moment is not None and test(moment, limit)

    return compare


def _versions(test: Callable[[semver.Version, semver.Version], bool]) -> Operator:
    def compare(have: Any, want: Any) -> bool:
        if not isinstance(have, str) or not isinstance(want, str):
            return False
        limit = _wanted_version(want)
        if limit is None:
            return False
        version = semver.parse(have)
        return version is not None and test(version, limit)

    return compare


def _matches(have: Any, want: Any) -> bool:
    if not isinstance(have, str) or not isinstance(want, str):
        return False
    return _wanted_pattern(want)(have)


def _moment(value: Any) -> float | None:
    if _is_number(value):
        return float(value)
    return dates.parse(value) if isinstance(value, str) else None


@lru_cache(maxsize=_CACHED)
def _wanted_moment(text: str) -> float | None:
    return dates.parse(text)


@lru_cache(maxsize=_CACHED)
def _wanted_version(text: str) -> semver.Version | None:
    return semver.parse(text)


@lru_cache(maxsize=_CACHED)
def _wanted_pattern(text: str) -> Callable[[str], bool]:
    """What `re` knows, as SDKs do; searched by `regex`, which can be stopped.

    In long runs of one character `regex` cannot be stopped, so long patterns stay with `re`.
    """
    try:
        known = re.compile(text)
        if len(text) > LONGEST_STOPPABLE:
            return lambda have: known.search(have) is not None
        pattern = regex.compile(text, regex.VERSION0)
    except Exception:  # a pattern can go wrong in many ways; in each it matches nothing
        return lambda _: False

    def search(have: str) -> bool:
        try:
            return pattern.search(have, timeout=LONGEST_SEARCH) is not None
        except TimeoutError:
            return False

    return search


OPERATORS: Final[Mapping[str, Operator]] = {
    "in": _equal,
    "startsWith": _texts(str.startswith),
    "endsWith": _texts(str.endswith),
    "contains": _texts(operator.contains),
    "matches": _matches,
    "lessThan": _numbers(operator.lt),
    "lessThanOrEqual": _numbers(operator.le),
    "greaterThan": _numbers(operator.gt),
    "greaterThanOrEqual": _numbers(operator.ge),
    "before": _moments(operator.lt),
    "after": _moments(operator.gt),
    "semVerEqual": _versions(operator.eq),
    "semVerLessThan": _versions(operator.lt),
    "semVerGreaterThan": _versions(operator.gt),
}
