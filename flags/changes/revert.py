"""Undoing one change of a flag or segment without undoing those that came after it. Pure."""

from typing import Final

from flags.model import Flag, Segment

_VERSIONS: Final = frozenset({"version", "first_version", "modified", "environments"})


def reverted_flag(now: Flag, *, before: Flag, after: Flag) -> Flag:
    """`now` with what differs between `before` and `after` put back to `before`."""
    shared = {
        name: getattr(before, name)
        for name in Flag.model_fields
        if name not in _VERSIONS and getattr(before, name) != getattr(after, name)
    }
    environments = dict(now.environments)
    for key in {*before.environments, *after.environments}:
        old, new, current = before.config(key), after.config(key), now.config(key)
        undone = {
            name: getattr(old, name)
            for name in type(old).model_fields
            if name not in _VERSIONS and getattr(old, name) != getattr(new, name)
        }
        if undone:
            environments[key] = current.changed(**undone)
    return now.changed(**shared, environments=environments)


def reverted_segment(now: Segment, *, before: Segment, after: Segment) -> Segment:
    """`now` with what differs between `before` and `after` put back to `before`."""
    return now.changed(
        **{
            name: getattr(before, name)
            for name in Segment.model_fields
            if name not in _VERSIONS and getattr(before, name) != getattr(after, name)
        }
    )
