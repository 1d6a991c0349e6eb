"""What changes from one plan to another, in the document's own terms. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from migrator.plan.document import Path, show_path
from migrator.plan.model import Migration
from routing.config import REVEAL

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    path: str
    kind: Kind
    old: Any
    new: Any


def diff(old: Migration, new: Migration) -> tuple[Change, ...]:
    """Differences in effect: a default that is now written out is none. Secrets are compared, and
    not shown."""
    before, after = (plan.model_dump(mode="json", context=REVEAL) for plan in (old, new))
    shown = [plan.model_dump(mode="json") for plan in (old, new)]
    return tuple(
        Change(show_path(path), kind, *(_said(kind, _at(document, path)) for document in shown))
        for path, kind in _walk((), before, after)
    )


def _walk(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Kind]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            if key not in new:
                yield (*path, key), "removed"
            elif key not in old:
                yield (*path, key), "added"
            else:
                yield from _walk((*path, key), old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            where = (*path, index)
            if index >= len(new):
                yield where, "removed"
            elif index >= len(old):
                yield where, "added"
            else:
                yield from _walk(where, old[index], new[index])
    elif old != new:
        yield path, "changed"


def _at(document: Any, path: Path) -> Any:
    """None where there is nothing."""
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError):
            return None
    return document


def _said(kind: Kind, value: Any) -> Any:
    """`value`, if all of it came or went without the keys that say nothing."""
    if kind == "changed" or not isinstance(value, dict):
        return value
    return {key: each for key, each in value.items() if each is not None and each != {}}
