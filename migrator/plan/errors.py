"""Problems of a plan: all at once, each with its place, what was found and what was expected."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from migrator.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """`line` and `column` count from 1; `path` is like `spec.capabilities.news.routes[0].path`."""

    file: str
    line: int
    column: int
    path: str
    message: str
    """What was found and what was expected."""
    suggestion: str | None = None

    def __str__(self) -> str:
        near = f". Did you mean {self.suggestion!r}?" if self.suggestion else ""
        path = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {path}{self.message}{near}"


class PlanErrors(InvalidInput):
    """The plan cannot be used; `problems` in the order of the document."""

    def __init__(self, problems: Sequence[Problem], source: str = "") -> None:
        self.problems = tuple(sorted(set(problems)))
        lines = source.splitlines()
        count = len(self.problems)
        super().__init__(
            f"the plan has {count} problem{'' if count == 1 else 's'}\n"
            + "\n".join(f"{problem}{_excerpt(problem, lines)}" for problem in self.problems)
        )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """What `word` was perhaps meant to be."""
    names = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), names, n=1)
    return names[near[0]] if near else None


def _excerpt(problem: Problem, lines: Sequence[str]) -> str:
    """The line in question with a caret below the column."""
    if not 0 < problem.line <= len(lines):
        return ""
    line = lines[problem.line - 1].replace("\t", " ")[:160]
    return f"\n    {line}\n    {' ' * min(problem.column - 1, len(line))}^"
