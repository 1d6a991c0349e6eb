"""LaunchDarkly's six migration stages applied to HTTP, as data.

Pure. The table is the one of the design: who answers a request, and who else is to see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """A migration flag's values, in order."""

    OFF = "off"
    DUALWRITE = "dualwrite"
    SHADOW = "shadow"
    LIVE = "live"
    RAMPDOWN = "rampdown"
    COMPLETE = "complete"


class Side(StrEnum):
    """Which of the two origins: the monolith or the extracted service."""

    OLD = "old"
    NEW = "new"


class Access(StrEnum):
    READ = "read"
    WRITE = "write"


SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
"""RFC 9110, 9.2.1."""


@dataclass(frozen=True, slots=True)
class Handling:
    """`authoritative` answers the client; `also` sees the request too (None: nobody)."""

    authoritative: Side
    also: Side | None


TABLE: Mapping[tuple[Stage, Access], Handling] = {
    (Stage.OFF, Access.READ): Handling(Side.OLD, None),
    (Stage.OFF, Access.WRITE): Handling(Side.OLD, None),
    (Stage.DUALWRITE, Access.READ): Handling(Side.OLD, None),
    (Stage.DUALWRITE, Access.WRITE): Handling(Side.OLD, Side.NEW),
    (Stage.SHADOW, Access.READ): Handling(Side.OLD, Side.NEW),
    (Stage.SHADOW, Access.WRITE): Handling(Side.OLD, Side.NEW),
    (Stage.LIVE, Access.READ): Handling(Side.NEW, Side.OLD),
    (Stage.LIVE, Access.WRITE): Handling(Side.NEW, Side.OLD),
    (Stage.RAMPDOWN, Access.READ): Handling(Side.NEW, None),
    (Stage.RAMPDOWN, Access.WRITE): Handling(Side.NEW, Side.OLD),
    (Stage.COMPLETE, Access.READ): Handling(Side.NEW, None),
    (Stage.COMPLETE, Access.WRITE): Handling(Side.NEW, None),
}


def parse_stage(value: object) -> Stage:
    """The stage that a flag's value names; anything else is `off` (when in doubt, the monolith)."""
    return _BY_VALUE.get(value, Stage.OFF) if isinstance(value, str) else Stage.OFF


_BY_VALUE: Mapping[str, Stage] = {stage.value: stage for stage in Stage}


def access_of(method: bytes, override: Access | None) -> Access:
    """Read or write: what the route says, else the method's safety."""
    if override is not None:
        return override
    return Access.READ if method in SAFE_METHODS else Access.WRITE
