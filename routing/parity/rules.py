"""What a capability's configuration says about the paths of its answers.

Pure. A path is `status`, `headers.NAME`, or `body` with names and `[]` for any index behind it,
such as `body.items[].price`; of HTML, the elements' names: `body.html.body.p`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from routing.config import ParityRule, ParityRules

_REMEMBERED: Final = 2000
"""Paths whose rules are remembered."""


class Rules:
    """One capability's rules, ready to be asked."""

    def __init__(self, config: ParityRules) -> None:
        self._ignored = _any(config.ignore)
        self._shown = _any(config.show)
        self._rules = [(_any((rule.path,), below=False), rule) for rule in config.rules]
        self._known: dict[str, tuple[bool, ParityRule | None]] = {}

    def ignores(self, path: str) -> bool:
        """Whether nothing at `path` is to be looked at."""
        return self._at(path)[0]

    def rule(self, path: str) -> ParityRule | None:
        """The rule for what is at `path` itself."""
        return self._at(path)[1]

    def shows(self, path: str) -> bool:
        """Whether values at `path` may be seen."""
        return self._shown(path)

    def _at(self, path: str) -> tuple[bool, ParityRule | None]:
        known = self._known.get(path)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            rule = next((rule for fits, rule in self._rules if fits(path)), None)
            known = self._known[path] = self._ignored(path), rule
        return known


def _any(patterns: Iterable[str], *, below: bool = True) -> Callable[[str], bool]:
    """Whether a path fits one of the patterns. `below`: or lies below one that does."""
    alternatives = "|".join(map(_expression, patterns))
    if not alternatives:
        return lambda path: False
    tail = r"(?:[.\[].*)?" if below else ""
    match = re.compile(f"(?:{alternatives}){tail}", re.DOTALL).fullmatch
    return lambda path: match(path) is not None


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*|\*)", pattern)
    wild = {"**": r".*", "*": r"[^.\[]*"}
    return "".join(wild.get(part) or re.escape(part) for part in parts)
