"""One request's failed attempts at one origin, kept from the first failure on.

Meets the rules of `recovery` with the endpoints of a group; reads no clock.
"""

from routing.group import Group
from routing.pool import Endpoint
from routing.recovery import MAX_OTHERS, Failure, Move, next_move, pause


class Trials:
    """`until`: monotonic time up to which the request may be repeated at the origin."""

    __slots__ = ("_group", "_pauses", "_tried", "_until", "another")

    def __init__(self, group: Group, until: float) -> None:
        self._group = group
        self._until = until
        self._tried: list[Endpoint] = []
        self._pauses = 0
        self.another: Endpoint | None = None
        """Where the request goes after `Move.ANOTHER`."""

    def note(self, failure: Failure, endpoint: Endpoint) -> None:
        """Hold `failure` against `endpoint`, where that is to blame."""
        if failure not in (Failure.STALE, Failure.OVERFLOW):
            self._group.failed(endpoint)
            self._tried.append(endpoint)

    def next_move(
        self, failure: Failure, now: float, *, repeatable: bool, fallback: bool, writes: bool
    ) -> Move:
        """See `recovery.next_move`."""
        group = self._group
        self.another = None
        if group.only is None and len(self._tried) <= MAX_OTHERS:
            self.another = group.another(self._tried)
        return next_move(
            failure,
            repeatable=repeatable,
            fallback=fallback,
            writes=writes,
            in_time=now < self._until,
            another=self.another is not None,
            spend=group.spend,
        )

    def pause(self) -> float:
        """Seconds before the next repetition; longer each time."""
        self._pauses += 1
        return pause(self._pauses - 1)
