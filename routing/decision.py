"""What one request gets: capability, stage and origin.

Pure. `decide` is called for every combination when the table changes, so that a request only
looks its answer up.
"""

from dataclasses import dataclass

from routing.stages import TABLE, Access, Side, Stage
from routing.table import Route


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the SDK said: stage, LaunchDarkly's reason kind, flag version (None: unknown), and the
    variation's index."""

    stage: Stage
    reason: str
    version: int | None
    variation: int | None = None
    prerequisite: str | None = None
    """Key of the flag that keeps this one off; None unless that is the reason."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`capability` and `stage` are None for what no route matches."""

    capability: str | None
    stage: Stage | None
    origin: Side
    also: Side | None
    """Who is to see the request, too; see `copying`."""
    repeat_writes: bool
    """Whether the monolith may take a write that the service provably never saw. Not at
    `complete`: there the monolith is no longer written to, and a write there would be lost."""


def decide(
    route: Route | None, access: Access, stage: Stage, *, switched_off: bool = False
) -> Decision:
    """The stage table's answer; no route means the monolith. `switched_off`: a service that the
    capability needs is, so that its writes are owed to it."""
    if route is None:
        return Decision(None, None, Side.OLD, None, repeat_writes=False)
    handling = TABLE[stage, access]
    copied = route.mirror_reads if access is Access.READ else route.second_writes
    also = Side.NEW if switched_off and access is Access.WRITE else handling.also
    return Decision(
        capability=route.capability,
        stage=stage,
        origin=handling.authoritative,
        also=also if copied else None,
        repeat_writes=handling.authoritative is Side.NEW and stage is not Stage.COMPLETE,
    )
