"""Attribute references: a plain name, or a pointer such as `/address/city`.

In a pointer `~1` stands for a slash in a name and `~0` for a tilde. Unlike a JSON pointer it never
reaches into arrays.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_BAD_ESCAPE: Final = re.compile("~(?![01])")
_CACHED: Final = 4096


@dataclass(frozen=True, slots=True)
class Reference:
    """Made by `parse`; one with a `problem` has no names and refers to nothing."""

    names: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def is_kind(self) -> bool:
        """It means the context's kinds, whatever kind of context a clause is about."""
        return self.names == ("kind",)


@lru_cache(maxsize=_CACHED)
def parse(text: str) -> Reference:
    if text in ("", "/"):
        return Reference(problem="the attribute reference is empty")
    if not text.startswith("/"):
        return Reference((text,))
    names = text[1:].split("/")
    if "" in names:
        return Reference(problem=f"attribute reference {text!r} has two slashes, or one at its end")
    if _BAD_ESCAPE.search(text):
        return Reference(problem=f"attribute reference {text!r} has a ~ that is not ~0 or ~1")
    return Reference(tuple(name.replace("~1", "/").replace("~0", "~") for name in names))
