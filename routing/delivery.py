"""One request sent to one origin for nobody: the answer is read to its end and thrown away."""

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


class Delivery:
    """Tells `done` once, not before `start` has returned."""

    __slots__ = (
        "_body",
        "_cancel",
        "_connection",
        "_data",
        "_done",
        "_endpoint",
        "_failure",
        "_keep",
        "_method",
        "_repeatable",
        "_seconds",
        "_started",
        "_status",
        "_timer",
    )

    request_sent = True
    wants_payload = True

    def __init__(
        self,
        endpoint: Endpoint,
        method: bytes,
        data: bytes,
        *,
        repeatable: bool,
        keep: int,
        done: Callable[[Outcome], None],
    ) -> None:
        """`data`: the whole request. `keep`: bytes of the answer's content to keep."""
        self._endpoint = endpoint
        self._method = method
        self._data = data
        self._repeatable = repeatable
        self._keep = keep
        self._done = done
        self._body: list[bytes] = []
        self._connection: UpstreamConnection | None = None
        self._cancel: Callable[[], object] | None = None
        self._status: int | None = None
        self._failure: Failure | None = None
        self._seconds = 0.0

    def start(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        """Send it; `timeout` seconds later it is called off."""
        self._started = monotonic()
        self._timer = loop.call_later(timeout, self._late)
        connection = self._endpoint.take(repeatable=self._repeatable)
        if connection is None:
            self._cancel = self._endpoint.connect(self)
        else:
            self._use(connection)

    def cancel(self) -> None:
        """Call it off; `done` is not told."""
        self._timer.cancel()
        if self._cancel is not None:
            self._cancel()
        if self._connection is not None:
            self._connection.abort()

    # Called by the endpoint.

    def connected(self, connection: UpstreamConnection) -> None:
        self._cancel = None
        self._use(connection)

    def unreached(self) -> None:
        self._cancel = None
        self._fail(Failure.UNREACHED)

    # Called by the upstream connection.

    def on_interim(self, head: ResponseHead) -> None:
        pass

    def on_answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None:
        self._seconds = monotonic() - self._started
        self._status = head.status
        self.on_body(body, complete=complete)

    def on_body(self, data: bytes, *, complete: bool) -> None:
        if self._keep:
            self._body.append(data[: self._keep])
            self._keep -= len(self._body[-1])
        if complete:
            self._end(complete=True)

    def on_failure(self, failure: Failure) -> None:
        if failure is Failure.STALE:
            # Closed in the moment in which it was taken: that says nothing about the origin.
            self._connection = None
            self._cancel = self._endpoint.connect(self)
        else:
            self._fail(failure)

    def on_broken(self) -> None:
        self._end()

    def on_tunnel(self, head: ResponseHead, data: bytes) -> None:
        if self._connection is not None:
            self._connection.abort()
        self._fail(Failure.GARBLED)

    def on_tunnel_data(self, data: bytes) -> None:
        pass

    def on_tunnel_eof(self) -> bool:
        return False

    def pause_request(self) -> None:
        pass

    def resume_request(self) -> None:
        pass

    def _use(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        connection.start(self, self._method, self._data)

    def _late(self) -> None:
        if self._cancel is not None:
            self._cancel()
        if self._connection is not None:
            self._connection.abort()
        if self._status is None:
            self._fail(Failure.SLOW)
        else:
            self._end()

    def _fail(self, failure: Failure) -> None:
        self._seconds = monotonic() - self._started
        self._failure = failure
        self._end()

    def _end(self, *, complete: bool = False) -> None:
        self._timer.cancel()
        self._connection = None
        body = b"".join(self._body)
        self._done(Outcome(self._status, self._failure, self._seconds, body, complete))
