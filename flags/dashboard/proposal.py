"""A change that is not made yet: what differs, and to which flags it matters. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from flags.dashboard import diff
from flags.dashboard.diff import Difference
from flags.evaluation import Context
from flags.model import Clause, Flag, Segment, Snapshot
from flags.preview import Preview, moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What it does to one flag."""

    flag: Flag
    preview: Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    before: Snapshot
    after: Snapshot
    flags: tuple[str, ...]
    """Keys of those that it may touch; of a flag's change that flag is the first."""
    differences: Sequence[Difference]

    def effects(self, contexts: Sequence[Context]) -> list[Effect]:
        """The first flag's always, of the others those that are moved."""
        found = [
            Effect(flag=flag, preview=moved(self.before, self.after, key, contexts))
            for key in self.flags
            if (flag := self.before.flags.get(key)) is not None
        ]
        return found[:1] + [effect for effect in found[1:] if effect.preview.moved]


def of_flag(world: Snapshot, before: Flag, after: Flag) -> Proposal:
    key = before.key
    old = replace(world, flags={**world.flags, key: before})
    return Proposal(
        before=old,
        after=replace(world, flags={**world.flags, key: after}),
        flags=(key, *_that_need([key], old)),
        differences=diff.of_flags(before, after),
    )


def of_segment(world: Snapshot, before: Segment, after: Segment) -> Proposal:
    key = before.key
    old = replace(world, segments={**world.segments, key: before})
    direct = _that_match_on(key, old)
    return Proposal(
        before=old,
        after=replace(world, segments={**world.segments, key: after}),
        flags=(*direct, *_that_need(direct, old)),
        differences=diff.between(diff.segment_facts(before), diff.segment_facts(after)),
    )


def _that_need(keys: Iterable[str], world: Snapshot) -> list[str]:
    """Flags with one of `keys` as a prerequisite, however far; without `keys` themselves."""

    def users(key: str) -> list[str]:
        return [
            flag.key
            for flag in world.flags.values()
            if any(p.key == key for p in flag.config(world.environment).prerequisites)
        ]

    return _reached(keys, users)


def _that_match_on(key: str, world: Snapshot) -> list[str]:
    """Flags with a rule that looks at the segment `key`, or at one that looks at it."""

    def users(wanted: str) -> list[str]:
        return [
            segment.key
            for segment in world.segments.values()
            if _names(wanted, (c for rule in segment.rules for c in rule.clauses))
        ]

    segments = [key, *_reached([key], users)]
    return [
        flag.key
        for flag in world.flags.values()
        for config in [flag.config(world.environment)]
        if any(_names(s, (c for rule in config.rules for c in rule.clauses)) for s in segments)
    ]


def _names(segment: str, clauses: Iterable[Clause]) -> bool:
    return any(c.op == "segmentMatch" and segment in c.values for c in clauses)


def _reached(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> list[str]:
    """What can be reached from `start`, each once, without `start`."""
    left = list(start)
    seen = dict.fromkeys(left)
    found: list[str] = []
    while left:
        for key in following(left.pop(0)):
            if key not in seen:
                seen[key] = None
                found.append(key)
                left.append(key)
    return found
