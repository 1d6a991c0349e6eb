"""What changes from one plan to another, in the document's own terms. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from migrator.plan.document import Path, show_path
from migrator.plan.model import Migration


@dataclass(frozen=True, slots=True)
class Change:
    path: str
    kind: Literal["added", "removed", "changed"]
    old: Any
    new: Any


def diff(old: Migration, new: Migration) -> tuple[Change, ...]:
    """Differences in effect: a default that is now written out is none."""
    return tuple(_walk((), old.model_dump(mode="json"), new.model_dump(mode="json")))


def _walk(path: Path, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            if key not in new:
                yield Change(show_path((*path, key)), "removed", _said(old[key]), None)
            elif key not in old:
                yield Change(show_path((*path, key)), "added", None, _said(new[key]))
            else:
                yield from _walk((*path, key), old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            where = (*path, index)
            if index >= len(new):
                yield Change(show_path(where), "removed", _said(old[index]), None)
            elif index >= len(old):
                yield Change(show_path(where), "added", None, _said(new[index]))
            else:
                yield from _walk(where, old[index], new[index])
    elif old != new:
        yield Change(show_path(path), "changed", old, new)


def _said(value: Any) -> Any:
    """`value` without the keys that say nothing."""
    if not isinstance(value, dict):
        return value
    return {key: each for key, each in value.items() if each is not None and each != {}}
