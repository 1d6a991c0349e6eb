"""What a change would do to contexts that were seen lately, before it is made. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flags.evaluation import Context, evaluate
from flags.model import Snapshot

Move = tuple[int | None, int | None]
"""Index of the variation before and after; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    total: int
    """Contexts that were looked at."""
    moved: int
    """Those that get another variation afterwards."""
    by_variation: Mapping[Move, int]
    """All of them by what they get before and after, also where that is the same."""


def moved(before: Snapshot, after: Snapshot, key: str, contexts: Iterable[Context]) -> Preview:
    """What the flag `key` gives to `contexts` in both worlds."""
    counts: Counter[Move] = Counter(
        (_given(before, key, context), _given(after, key, context)) for context in contexts
    )
    return Preview(
        total=counts.total(),
        moved=sum(count for (old, new), count in counts.items() if old != new),
        by_variation=dict(counts),
    )


def _given(world: Snapshot, key: str, context: Context) -> int | None:
    flag = world.flags.get(key)
    return None if flag is None else evaluate(flag, context, world).variation_index
