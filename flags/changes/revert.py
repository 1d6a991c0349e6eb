"""Undoing one change of a flag or segment without undoing those that came after it. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from flags.changes.base import renumbered
from flags.model import Config, Flag, Model, Segment

_VERSIONS: Final = frozenset({"version", "first_version", "modified", "environments"})
AnyModel = TypeVar("AnyModel", Flag, Config, Segment)


def reverted_flag(now: Flag, *, before: Flag, after: Flag) -> Flag:
    """`now` with what differs between `before` and `after` put back to `before`.

    Raises `ValueError` where that was changed again since, or names a variation that is gone.
    """
    # Variations may have moved: compare as if all that ever were had numbers of their own.
    ids = list(dict.fromkeys(v.id for flag in (now, after, before) for v in flag.variations))

    def numbered(flag: Flag) -> Flag:
        return _numbered(flag, lambda index: ids.index(flag.variations[index].id))

    old, new, current = numbered(before), numbered(after), numbered(now)
    environments = {}
    for key in {*current.environments, *old.environments, *new.environments}:
        config = current.config(key)
        undone = _undone(config, old.config(key), new.config(key), f"environments.{key}.")
        if undone or key in current.environments:
            environments[key] = config.changed(**undone)
    result = current.changed(**_undone(current, old, new, ""), environments=environments)
    places = {ids.index(v.id): at for at, v in enumerate(result.variations)}

    def placed(number: int) -> int:
        if number not in places:
            raise ValueError(f"variation {ids[number]!r} is needed, but gone: cannot be undone")
        return places[number]

    return _numbered(result, placed)


def _numbered(flag: Flag, index: Callable[[int], int]) -> Flag:
    """`flag` with `index` of each of its variations."""
    return flag.changed(
        defaults={name: index(at) for name, at in flag.defaults.model_dump().items()},
        environments={key: renumbered(c, index) for key, c in flag.environments.items()},
    )


def reverted_segment(now: Segment, *, before: Segment, after: Segment) -> Segment:
    """`now` with what differs between `before` and `after` put back to `before`.

    Raises `ValueError` where that was changed again since.
    """
    return now.changed(**_undone(now, before, after, ""))


def _undone(now: AnyModel, before: AnyModel, after: AnyModel, place: str) -> Mapping[str, Any]:
    undone = {}
    for name in type(now).model_fields:
        if name in _VERSIONS or _same(name, before, after):
            continue
        if not _same(name, now, after):
            if _same(name, now, before):
                continue
            raise ValueError(f"{place}{name} was changed again since: cannot be undone")
        undone[name] = getattr(before, name)
    return undone


def _same(name: str, one: Model, other: Model) -> bool:
    """As JSON, since Python takes true for 1."""
    include = {name}
    return one.model_dump_json(include=include) == other.model_dump_json(include=include)
