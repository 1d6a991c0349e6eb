"""Whether a whole flag or segment fits the world: one that was imported, reverted or patched.

Instructions check what they change; this checks everything that a document names.
"""

from collections.abc import Iterable, Iterator

from flags.changes.base import World, require_segments
from flags.changes.prerequisites import leads_to
from flags.changes.segments import reaches
from flags.model import Clause, Config, Flag, Segment


def check_flag(flag: Flag, world: World, environments: Iterable[str]) -> None:
    """Raises `ValueError` with the place and what is wrong there."""
    count = len(flag.variations)
    for name in ("on_variation", "off_variation"):
        _index(getattr(flag.defaults, name), count, f"defaults.{name}")
    for environment in environments:
        config = flag.environments.get(environment)
        if config is None:
            continue
        for place, index in _variations(config):
            _index(index, count, f"environments.{environment}.{place}")
        for prerequisite in config.prerequisites:
            place = f"environments.{environment}.prerequisites ({prerequisite.key})"
            other = world.flag(prerequisite.key)
            if other is None:
                raise ValueError(f"{place}: there is no such flag")
            _index(prerequisite.variation, len(other.variations), place)
            if leads_to(prerequisite.key, flag.key, environment, world):
                raise ValueError(f"{place}: would make a cycle with {flag.key!r}")


def check_users(before: Flag, after: Flag, world: World) -> None:
    """Raises `ValueError` where another flag needs a variation that is elsewhere now, or gone."""
    if before.variations == after.variations:
        return
    for key, environment, index in world.needed_by(before.key):
        needed = before.variations[index]
        found = after.variations[index] if index < len(after.variations) else None
        if found is None or (found.id != needed.id and found.value != needed.value):
            raise ValueError(f"flag {key!r} needs variation {needed.value!r} in {environment!r}")


def check_segments_exist(clauses: Iterable[Clause], world: World) -> None:
    """Raises `ValueError` for a `segmentMatch` of no segment."""
    for clause in clauses:
        if clause.op == "segmentMatch":
            require_segments(clause.values, world)


def check_segment(segment: Segment, world: World) -> None:
    """Raises `ValueError`."""
    if reaches(segment, segment.key, world):
        raise ValueError(f"the segment would contain itself: {segment.key!r}")
    check_segments_exist((c for rule in segment.rules for c in rule.clauses), world)


def _variations(config: Config) -> Iterator[tuple[str, int]]:
    if config.off_variation is not None:
        yield "offVariation", config.off_variation
    for index in config.fallthrough.variations():
        yield "fallthrough", index
    for at, target in enumerate(config.targets):
        yield f"targets.{at}", target.variation
    for at, rule in enumerate(config.rules):
        for index in rule.serve.variations():
            yield f"rules.{at}", index


def _index(index: int, count: int, place: str) -> None:
    if not 0 <= index < count:
        raise ValueError(f"{place}: {index} is not an index of the {count} variations")
