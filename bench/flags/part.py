"""What the parts of this benchmark have in common."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.results import Result

Say = Callable[[str], None]
"""Tells the person who waits how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    measure: Callable[[Say], list[Result]]
