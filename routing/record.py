"""What happened to one request, for those who want to know.

Pure: times are monotonic seconds that come in. Only a request that is watched has a record, see
`routing.watch`; the exchange and the client side write into it.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from routing.decision import Decision, Evaluation
from routing.hiding import Hiding
from routing.message import RequestHead
from routing.recovery import Failure
from routing.stages import Access, Side
from routing.table import Route

CLIENT_GONE: Final = "client_gone"
Peer = tuple[str, int]
"""Address and port."""


class Lane(Protocol):
    """What a record knows of the lane that a request takes, see `routing.lanes`."""

    @property
    def route(self) -> Route | None: ...

    @property
    def access(self) -> Access: ...

    @property
    def decision(self) -> Decision: ...


class Trace(Protocol):
    """The spans of a request, see `routing.tracing`."""

    @property
    def ids(self) -> tuple[str, str]: ...

    def send(self, attempt: "Attempt", head: bytes) -> bytes: ...

    def end(self, record: "Record", hiding: Hiding) -> None: ...


class Connection(Protocol):
    """To an origin."""

    @property
    def peer(self) -> Peer | None: ...


class Attempt:
    """One sending of the request to an origin. `ended`: when the answer's head had come, or the
    failure; None before that. `error`: a word for the failure."""

    __slots__ = ("began", "ended", "error", "origin", "peer", "side", "status")

    def __init__(self, side: Side, began: float) -> None:
        self.side = side
        self.began = began
        self.ended: float | None = None
        self.status: int | None = None
        self.error: str | None = None
        self.origin = ""
        """URL of the endpoint, also of one that was not reached; of a copy it is not known."""
        self.peer: Peer | None = None
        """What it was connected to, if that is traced."""

    @property
    def failed(self) -> bool:
        return self.error is not None or (self.status is not None and self.status >= 500)


Tell = Callable[[Attempt, bool | None], object]
"""Takes what became of a copy, and whether both sides agree; None: they were not compared."""


class Copied(Protocol):
    """What a record knows of the copy of its request, see `routing.copies`."""

    def tell(self, tell: Tell) -> bool:
        """To be asked once, at the end of the request. True: `tell` is called, maybe later."""


class Record:
    """See the module."""

    __slots__ = (
        "_done",
        "attempts",
        "began",
        "complete",
        "copied",
        "edge",
        "ended",
        "evaluation",
        "fell_back",
        "head",
        "lane",
        "logged",
        "migration_op",
        "peer",
        "received",
        "scheme",
        "sent",
        "status",
        "trace",
    )

    def __init__(
        self,
        head: RequestHead,
        lane: Lane,
        evaluation: Evaluation | None,
        peer: bytes,
        *,
        edge: bool,
        scheme: bytes,
        began: float,
        done: Callable[["Record"], object],
    ) -> None:
        """`peer`: the client's address. `scheme`: of its request, http or https. `done` is called
        once, at the end of the request."""
        self.head = head
        self.lane = lane
        self.evaluation = evaluation
        self.peer = peer
        self.edge = edge
        self.scheme = scheme
        self.began = self.ended = began
        self._done = done
        self.attempts: list[Attempt] = []
        self.status: int | None = None
        """Of the answer that the client gets."""
        self.fell_back = False
        self.complete = False
        """The answer, or the tunnel, came to its end."""
        self.received = 0
        """Bytes after the request's head."""
        self.sent = 0
        """Bytes after the answer's head."""
        self.logged = False
        """Whether it is in the access log's sample."""
        self.migration_op: dict[str, Any] | None = None
        """The event still without its measurements, if there is to be one."""
        self.trace: Trace | None = None
        self.copied: Copied | None = None

    @property
    def error(self) -> str | None:
        """OpenTelemetry's `error.type`; None if the answer came whole and is not 5xx."""
        if not self.complete:
            broken = self.attempts and self.attempts[-1].error
            return broken or CLIENT_GONE
        if self.status is not None and self.status >= 500:
            failed = self.attempts and self.attempts[-1].error
            return failed or str(self.status)
        return None

    @property
    def failed(self) -> bool:
        """Whether anything went wrong, also if the monolith made up for it."""
        return self.fell_back or self.error is not None

    # Called by the exchange. `origin` is the URL of an endpoint.

    def asks(
        self, side: Side, origin: str, head: bytes, connection: Connection, now: float
    ) -> bytes:
        """The request is sent to an origin; returns `head` as it is to be sent."""
        attempt = self._attempt(side, origin, now)
        if self.trace is None:
            return head
        attempt.peer = connection.peer
        return self.trace.send(attempt, head)

    def is_answered(self, side: Side, origin: str, status: int, now: float) -> None:
        """The head of a final answer has come."""
        self.status = status
        attempt = self._open(side, origin, now)
        attempt.status = status
        attempt.ended = now

    def fails(self, side: Side, origin: str, failure: Failure, now: float) -> None:
        """The origin could not be reached, or has failed the request."""
        attempt = self._open(side, origin, now)
        attempt.error = failure.name.lower()
        attempt.ended = now

    def breaks(self) -> None:
        """The answer broke off in its middle."""
        self.attempts[-1].error = "broken"

    # Called by the client side.

    def end(self, now: float, *, complete: bool) -> None:
        """The client is answered, or gone."""
        self.ended = now
        self.complete = complete or self.status == 101
        self._done(self)

    def _open(self, side: Side, origin: str, now: float) -> Attempt:
        """The attempt that is under way; one that was never sent begins here."""
        if not self.attempts or self.attempts[-1].ended is not None:
            return self._attempt(side, origin, now)
        attempt = self.attempts[-1]
        if attempt.origin != origin:  # a hedge was faster
            attempt.origin, attempt.peer = origin, None
        return attempt

    def _attempt(self, side: Side, origin: str, now: float) -> Attempt:
        """A new one, to which the time since the one before belongs."""
        began = self.began
        if self.attempts:
            began = self.attempts[-1].ended or now
        attempt = Attempt(side, began)
        attempt.origin = origin
        self.attempts.append(attempt)
        return attempt
