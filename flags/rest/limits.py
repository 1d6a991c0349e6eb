"""How large and how deep a document may be: one that a request brings, or that a patch makes. Pure.

What is stored is nested more deeply than what came, and must be readable again.
"""

from collections.abc import Iterator
from typing import Any, Final

from flags.errors import Rejected

MAX_COMMENT: Final = 2000
"""Characters."""
MAX_DEPTH: Final = 64
"""Arrays and objects within each other."""


def check_document(document: Any, what: str, most: int = MAX_DEPTH) -> None:
    """Raises `Rejected` for one that is too deep, or has a character no database keeps."""
    level = [document]
    for _ in range(most):
        level = [child for value in level for child in _children(value)]
        if any(isinstance(value, str) and "\0" in value for value in level):
            raise Rejected(f"{what}: the character U+0000 cannot be kept")
        level = [value for value in level if isinstance(value, dict | list)]
        if not level:
            return
    raise Rejected(f"{what}: nested more than {most} deep")


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value
