"""Where a context lies between 0 and 1: its share of a rollout is the one that it falls into.

The same key gives the same bucket in each SDK, so a percentage grows without anybody changing
sides.
"""

from hashlib import sha1
from typing import Final, NamedTuple

from flags.evaluation import reference
from flags.evaluation.context import Context
from flags.model import FULL_WEIGHT, Rollout

_SCALE: Final = float(0xFFFFFFFFFFFFFFF)
_ABSENT: Final = -1.0
"""The bucket where there is no context of the wanted kind: below every weight."""


class Share(NamedTuple):
    variation: int
    in_experiment: bool


def bucket(context: Context, kind: str, by: str | None, prefix: str) -> float:
    """0 where attribute `by` is absent, or neither a text nor an integer; `by` None is the key."""
    individual = context.get(kind)
    if individual is None:
        return _ABSENT
    value = individual.value(reference.parse(by)) if by else individual.key
    if isinstance(value, bool) or not isinstance(value, str | int):
        return 0.0
    digest = sha1(f"{prefix}.{value}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:15], 16) / _SCALE


def share(rollout: Rollout, context: Context, flag_key: str, salt: str) -> Share:
    experiment = rollout.kind == "experiment"
    place = bucket(
        context,
        rollout.context_kind,
        None if experiment else rollout.bucket_by,
        f"{flag_key}.{salt}" if rollout.seed is None else str(rollout.seed),
    )
    end = 0.0
    chosen = rollout.variations[-1]  # the sum of the weights may be just below 1
    for weighted in rollout.variations:
        end += weighted.weight / FULL_WEIGHT
        if place < end:
            chosen = weighted
            break
    in_experiment = experiment and place != _ABSENT and not chosen.untracked
    return Share(chosen.variation, in_experiment)


def in_segment_share(
    context: Context, kind: str, by: str | None, segment_key: str, salt: str, weight: int
) -> bool:
    return bucket(context, kind, by, f"{segment_key}.{salt}") < weight / FULL_WEIGHT
