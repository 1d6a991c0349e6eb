"""What happened to one request, for those who want to know.

Pure: times are monotonic seconds that come in. Only a request that is watched has a record, see
`routing.watch`; the exchange and the client side write into it.
"""

from collections.abc import Callable
from typing import Any

from routing.recovery import Failure
from routing.stages import Side


class Attempt:
    """One sending of the request to an origin. `ended`: when the answer's head had come, or the
    failure; None before that. `error`: a word for the failure."""

    __slots__ = ("began", "ended", "error", "side", "status")

    def __init__(self, side: Side, began: float) -> None:
        self.side = side
        self.began = began
        self.ended: float | None = None
        self.status: int | None = None
        self.error: str | None = None

    @property
    def failed(self) -> bool:
        return self.error is not None or (self.status is not None and self.status >= 500)


class Record:
    """See the module."""

    __slots__ = ("_done", "attempts", "began", "ended", "migration_op")

    def __init__(
        self,
        began: float,
        done: Callable[["Record"], object],
        *,
        migration_op: dict[str, Any] | None = None,
    ) -> None:
        """`done` is called once, at the end of the request. `migration_op`: the event still without
        its measurements, if there is to be one."""
        self._done = done
        self.migration_op = migration_op
        self.attempts: list[Attempt] = []
        self.began = began
        self.ended = began

    # Called by the exchange.

    def asks(self, side: Side, now: float) -> None:
        """The request is sent to an origin; the time since the last attempt belongs to this one."""
        began = self.began
        if self.attempts:
            began = self.attempts[-1].ended or now
        self.attempts.append(Attempt(side, began))

    def is_answered(self, status: int, now: float) -> None:
        """The head of a final answer has come."""
        attempt = self.attempts[-1]
        attempt.status = status
        attempt.ended = now

    def fails(self, side: Side, failure: Failure, now: float) -> None:
        """The origin could not be reached, or has failed the request."""
        if not self.attempts or self.attempts[-1].ended is not None:
            self.asks(side, now)
        self.attempts[-1].ended = now
        self.attempts[-1].error = failure.name.lower()

    def breaks(self) -> None:
        """The answer broke off in its middle."""
        self.attempts[-1].error = "broken"

    # Called by the client side.

    def end(self, now: float) -> None:
        """The client is answered, or gone."""
        self.ended = now
        self._done(self)
