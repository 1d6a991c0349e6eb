"""Exchanges with an origin that nobody waits for: the answer is read to its end and thrown away."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from routing.message import ResponseHead
from routing.pool import Endpoint
from routing.recovery import Failure
from routing.upstream_side import UpstreamConnection


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` None: no answer, because of `failure`. `seconds`: to the head or the failure."""

    status: int | None
    failure: Failure | None
    seconds: float
    body: bytes
    """The beginning of the content, as much as was asked for."""
    complete: bool
    """Whether the answer came to its end."""
    head: bytes
    """Status line and fields of the answer."""


class Hearing:
    """Hears the answer to a request that was sent on a connection before."""

    __slots__ = (
        "_body",
        "_connection",
        "_done",
        "_failure",
        "_head",
        "_keep",
        "_seconds",
        "_started",
        "_status",
        "_timer",
    )

    request_sent = True
    wants_payload = True

    _timer: asyncio.TimerHandle

    def __init__(self, done: Callable[[Outcome], None], *, keep: int = 0) -> None:
        """`done`: called once, on the loop. `keep`: bytes of the answer's content to keep."""
        self._done = done
        self._keep = keep
        self._body: list[bytes] = []
        self._head = b""
        self._connection: UpstreamConnection | None = None
        self._status: int | None = None
        self._failure: Failure | None = None
        self._started = monotonic()
        self._seconds = 0.0

    def take_over(
        self, connection: UpstreamConnection, loop: asyncio.AbstractEventLoop, timeout: float
    ) -> None:
        """Hear `connection` in place of who heard it; after `timeout` seconds call it off."""
        self._connection = connection
        self._timer = loop.call_later(timeout, self._late)
        connection.hand_over(self)

    def cancel(self) -> None:
        """Call it off; `done` is not told."""
        self._timer.cancel()
        self._let_go()

    # Called by the upstream connection.

    def on_interim(self, head: ResponseHead) -> None:
        pass

    def on_answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None:
        self._seconds = monotonic() - self._started
        self._status = head.status
        self._head = head.forward
        self.on_body(body, complete=complete)

    def on_body(self, data: bytes, *, complete: bool) -> None:
        if self._keep:
            self._body.append(data[: self._keep])
            self._keep -= len(self._body[-1])
        if complete:
            self._end(complete=True)

    def on_failure(self, failure: Failure) -> None:
        self._seconds = monotonic() - self._started
        self._failure = failure
        self._end()

    def on_broken(self) -> None:
        self._end()

    def on_tunnel(self, head: ResponseHead, data: bytes) -> None:
        self._let_go()
        self.on_failure(Failure.GARBLED)

    def on_tunnel_data(self, data: bytes) -> None:
        pass

    def on_tunnel_eof(self) -> bool:
        return False

    def on_tunnel_end(self) -> None:
        pass

    def pause_request(self) -> None:
        pass

    def resume_request(self) -> None:
        pass

    def _late(self) -> None:
        self._let_go()
        if self._status is None:
            self.on_failure(Failure.SLOW)
        else:
            self._end()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def _end(self, *, complete: bool = False) -> None:
        self._timer.cancel()
        self._connection = None
        body = b"".join(self._body)
        self._done(Outcome(self._status, self._failure, self._seconds, body, complete, self._head))


class Delivery(Hearing):
    """Sends one request to one origin."""

    __slots__ = ("_cancel", "_data", "_endpoint", "_method", "_repeatable")

    def __init__(
        self,
        endpoint: Endpoint,
        method: bytes,
        data: bytes,
        done: Callable[[Outcome], None],
        *,
        repeatable: bool,
        keep: int = 0,
    ) -> None:
        """`data`: the whole request."""
        super().__init__(done, keep=keep)
        self._endpoint = endpoint
        self._method = method
        self._data = data
        self._repeatable = repeatable
        self._cancel: Callable[[], object] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        """Send it; after `timeout` seconds call it off."""
        self._timer = loop.call_later(timeout, self._late)
        connection = self._endpoint.take(repeatable=self._repeatable)
        if connection is not None:
            self.connected(connection)
        elif self._endpoint.full:
            self._endpoint.overflows += 1
            self.overflowed()
        else:
            self._cancel = self._endpoint.connect(self)

    # Called by the endpoint.

    def connected(self, connection: UpstreamConnection) -> None:
        self._cancel = None
        self._connection = connection
        connection.start(self, self._method, self._data)

    def unreached(self) -> None:
        self._cancel = None
        super().on_failure(Failure.UNREACHED)

    def overflowed(self) -> None:
        self._cancel = None
        super().on_failure(Failure.OVERFLOW)

    def on_failure(self, failure: Failure) -> None:
        if failure is Failure.STALE:
            # Closed in the moment in which it was taken: that says nothing about the origin.
            self._connection = None
            self._cancel = self._endpoint.connect(self)
        else:
            super().on_failure(failure)

    def _let_go(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        super()._let_go()
