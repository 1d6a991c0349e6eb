"""Semantic versions and their order. `2` and `2.1` are read as `2.0.0` and `2.1.0`."""

import re
from typing import Final

Version = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]
"""Compares as the version does: a release is above its pre-releases, the build does not count."""

_NUMBER: Final = r"(0|[1-9][0-9]*)"
_PRE: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD: Final = r"[0-9A-Za-z-]+"
_VERSION: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PRE}(?:\.{_PRE})*))?(?:\+{_BUILD}(?:\.{_BUILD})*)?"
)
_NUMBERS: Final = re.compile(r"[0-9.]*")


def parse(text: str) -> Version | None:
    for _missing in range(2):
        if (version := _parse_full(text)) is not None:
            return version
        text = _with_one_number_more(text)
    return _parse_full(text)


def _parse_full(text: str) -> Version | None:
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, pre = match.groups()
    try:
        numbers = int(major), int(minor), int(patch)
    except ValueError:  # thousands of digits
        return None
    identifiers = () if pre is None else tuple(_rank(part) for part in pre.split("."))
    return (*numbers, pre is None, identifiers)


def _with_one_number_more(text: str) -> str:
    """`1-beta` becomes `1.0-beta`; nothing after a line's end is read, as in the SDK."""
    line = text.split("\n", 1)[0]
    numbers = _NUMBERS.match(line)
    end = numbers.end() if numbers else 0
    return f"{line[:end]}.0{line[end:]}"


def _rank(identifier: str) -> tuple[bool, int, str]:
    """Numbers come first, by their value: without leading zeros that is by length, then text."""
    is_number = identifier.isdigit()
    return (not is_number, len(identifier) if is_number else 0, identifier)
