"""What the parts of this benchmark have in common."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bench.results import Result

Say = Callable[[str], None]
"""Tells the person who waits how far it is."""
EVERY: Final = 5.0
"""Seconds between two tidings of the same work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    measure: Callable[[Say], list[Result]]


def counted(total: int, what: str, say: Say) -> Iterator[int]:
    """`range(total)`, told about every few seconds as so many of `what`."""
    told = time.monotonic()
    for number in range(total):
        yield number
        if time.monotonic() - told >= EVERY:
            say(f"{number + 1:,} of {total:,} {what}")
            told = time.monotonic()
