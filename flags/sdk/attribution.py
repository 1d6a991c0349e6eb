"""Custom events are counted for the variation that each migration flag gives their contexts. Pure.

LaunchDarkly attributes an event to the last evaluation that it heard of. Here the flag is evaluated
anew when the event arrives, which needs no memory of contexts and gives the same but for events
that a change of the flag overtakes within an SDK's flush interval.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from flags.errors import Rejected
from flags.evaluation.context import Context
from flags.evaluation.evaluator import Evaluation
from flags.model import Snapshot
from flags.sdk.event_kinds import Custom


class Attributed(NamedTuple):
    """One custom event, as seen by one flag."""

    flag: str
    variation: int
    key: str
    value: float


def attribute(
    events: Iterable[Custom], world: Snapshot, known: Callable[[str], Context | None]
) -> Iterator[Attributed]:
    """Each event once for each migration flag. `known`: the context of a fully qualified key, seen
    before, for events that name nothing but keys."""
    flags = [flag for flag in world.flags.values() if flag.kind == "migration"]
    given: dict[str, list[tuple[str, int]]] = {}
    for event in events if flags else ():
        try:
            context = Context.parse(event.context)
        except Rejected:
            continue
        key = context.canonical_key
        if key not in given:
            if not any(one.attributes for one in context):
                context = known(key) or context
            evaluation = Evaluation(context, world)
            found = ((flag.key, evaluation.detail(flag).variation_index) for flag in flags)
            given[key] = [(flag, index) for flag, index in found if index is not None]
        for flag, index in given[key]:
            yield Attributed(flag, index, event.key, event.value)
