"""One request on its way: which origin is asked, what has been sent, what happens on failure.

One object per client connection, used for one request after another. It stands between the client
side and the upstream side and knows neither's bytes; the rules of repeating are in `recovery`.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, time
from typing import Protocol

from routing.config import Timeouts
from routing.decision import Evaluation
from routing.lanes import Lane
from routing.message import ResponseHead
from routing.pool import Endpoint
from routing.recovery import SERVER_ERRORS, STATUS_OF, Failure, Move, next_move, pause
from routing.stages import SAFE_METHODS
from routing.upstream_side import UpstreamConnection

MAX_PENDING = 64 * 1024
"""Bytes of a request's body that wait for a connection before the client is paused."""


class Client(Protocol):
    """The client side, as an exchange sees it."""

    @property
    def request_complete(self) -> bool: ...

    @property
    def writing_paused(self) -> bool: ...

    @property
    def wants_payload(self) -> bool: ...

    def interim(self, head: ResponseHead) -> None: ...

    def answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None: ...

    def body(self, data: bytes, *, complete: bool) -> None: ...

    def tunnel(self, head: ResponseHead, data: bytes) -> None: ...

    def tunnel_data(self, data: bytes) -> None: ...

    def tunnel_eof(self) -> bool: ...

    def close(self) -> None: ...

    def fail(self, status: int) -> None: ...

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def expect_progress(self, seconds: float | None) -> None: ...


class Exchange:
    """See the module. `fell_back` and `evaluation` are for the answer's decision line; `answered`:
    an answer's head has gone to the client."""

    __slots__ = (
        "_attempt",
        "_cancel",
        "_client",
        "_connection",
        "_counted",
        "_endpoint",
        "_head",
        "_lane",
        "_loop",
        "_method",
        "_original",
        "_pending",
        "_pending_size",
        "_repeatable",
        "_retry_until",
        "_started",
        "_timeouts",
        "_websocket",
        "answered",
        "evaluation",
        "fell_back",
    )

    _lane: Lane
    _endpoint: Endpoint
    _timeouts: Timeouts

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._connection: UpstreamConnection | None = None
        self._cancel: Callable[[], object] | None = None
        self._head = b""
        self._original = b""
        self._method = b""
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._repeatable = False
        self._websocket = False
        self.answered = False
        self._counted = False
        self._attempt = 0
        self._retry_until = 0.0
        self._started = 0.0
        self.evaluation: Evaluation | None = None
        self.fell_back = False

    def begin(
        self,
        lane: Lane,
        evaluation: Evaluation | None,
        timeouts: Timeouts,
        method: bytes,
        head: bytes,
        *,
        has_body: bool,
        websocket: bool,
    ) -> None:
        """Ask the lane's origin. `head` is the whole request head as the origin gets it."""
        self._lane = lane
        self.evaluation = evaluation
        self._timeouts = timeouts
        self._method = method
        self._head = head
        self._repeatable = not has_body and method in SAFE_METHODS
        self._websocket = websocket
        self.answered = self._counted = self.fell_back = False
        self._attempt = 0
        self._retry_until = 0.0
        self._started = monotonic()
        cell = lane.cell
        cell.requests += 1
        cell.last_decided_at = time()
        self._endpoint = lane.endpoint
        self._dispatch()

    def keep(self, original: bytes) -> None:
        """Before `begin`, for a lane with changes: the head as the monolith gets it."""
        self._original = original

    def redirected(self, lane: Lane, evaluation: Evaluation | None) -> None:
        """Count a request that is answered by a redirect instead of an origin."""
        self.evaluation = evaluation
        self.fell_back = False
        lane.cell.requests += 1
        lane.cell.last_decided_at = time()
        lane.cell.record(0.0)

    def send(self, data: bytes) -> None:
        """More of the request's body."""
        if self._connection is not None:
            self._connection.write(data)
            return
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size > MAX_PENDING:
            self._client.pause_reading()

    def send_eof(self) -> None:
        """The client's end of a tunnel."""
        if self._connection is not None:
            self._connection.write_eof()

    def pause_answer(self) -> None:
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_answer(self) -> None:
        if self._connection is not None:
            self._connection.resume_reading()

    def cancel(self) -> None:
        """The client is gone or was answered otherwise."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        self._drop_pending()

    def late(self) -> None:
        """The time set by `expect_progress` has passed and the origin is to blame."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        if self.answered:
            self._client.abort()
        else:
            self.on_failure(Failure.SLOW)

    def expire(self) -> None:
        """The time for the whole exchange has passed."""
        self.cancel()
        if self.answered:
            self._client.abort()
            return
        if not self.fell_back:
            self._count(failed=True)
        self._client.fail(STATUS_OF[Failure.SLOW])

    # Called by the endpoint.

    def connected(self, connection: UpstreamConnection) -> None:
        self._cancel = None
        self._use(connection)

    def unreached(self) -> None:
        self._cancel = None
        self.on_failure(Failure.UNREACHED)

    # Called by the upstream connection.

    @property
    def request_sent(self) -> bool:
        return self._client.request_complete

    @property
    def wants_payload(self) -> bool:
        return self._client.wants_payload

    def on_interim(self, head: ResponseHead) -> None:
        self._client.interim(head)

    def on_answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None:
        if head.status >= 500 and head.status in SERVER_ERRORS:
            move = self._move(Failure.SERVER_ERROR)
            if move is Move.FALL_BACK:
                self._let_go(complete=complete)
                self._fall_back()
                return
        if self.fell_back:
            self._lane.cell.fallbacks += 1
        else:
            self._count(failed=head.status >= 500)
        self.answered = True
        if complete:
            self._connection = None
        else:
            self._client.expect_progress(self._timeouts.stall)
        self._client.answer(head, body, complete=complete)

    def on_body(self, data: bytes, *, complete: bool) -> None:
        if complete:
            self._connection = None
        else:
            self._client.expect_progress(self._timeouts.stall)
        self._client.body(data, complete=complete)

    def on_tunnel(self, head: ResponseHead, data: bytes) -> None:
        if not self._websocket:
            self.cancel()
            self.on_failure(Failure.GARBLED)
            return
        if self.fell_back:
            self._lane.cell.fallbacks += 1
        else:
            self._count(failed=False)
        self.answered = True
        self._client.expect_progress(None)
        self._client.tunnel(head, data)

    def on_tunnel_data(self, data: bytes) -> None:
        self._client.tunnel_data(data)

    def on_tunnel_eof(self) -> bool:
        return self._client.tunnel_eof()

    def on_tunnel_end(self) -> None:
        """The origin closed both directions at once, as TLS does."""
        self._connection = None
        self._client.close()

    def on_broken(self) -> None:
        """The answer broke off after its head had reached the client."""
        self._connection = None
        if not self.fell_back:
            self._lane.cell.errors += 1
        self._client.abort()

    def on_failure(self, failure: Failure) -> None:
        self._connection = None
        move = self._move(failure)
        if move is Move.FALL_BACK:
            self._fall_back()
        elif move is Move.AGAIN:
            self._client.expect_progress(None)
            self._cancel = self._endpoint.connect(self)
        elif move is Move.WAIT:
            self._client.expect_progress(None)
            timer = self._loop.call_later(pause(self._attempt), self._try_again)
            self._cancel = timer.cancel
            self._attempt += 1
        else:
            if not self.fell_back:
                self._count(failed=True)
            self._drop_pending()
            self._client.fail(STATUS_OF[failure])

    def pause_request(self) -> None:
        self._client.pause_reading()

    def resume_request(self) -> None:
        self._client.resume_reading()

    def _move(self, failure: Failure) -> Move:
        if not self._retry_until:
            self._retry_until = monotonic() + self._timeouts.retry
        return next_move(
            failure,
            repeatable=self._repeatable,
            fallback=self._lane.fallback is not None and not self.fell_back,
            writes=self._lane.repeat_writes,
            in_time=monotonic() < self._retry_until,
        )

    def _fall_back(self) -> None:
        self._count(failed=True)
        self.fell_back = True
        self._attempt = 0
        self._retry_until = 0.0
        if self._lane.fallback is not None:
            self._endpoint = self._lane.fallback
        if self._lane.changes is not None:
            self._head = self._original
        self._dispatch()

    def _try_again(self) -> None:
        self._cancel = None
        self._dispatch()

    def _dispatch(self) -> None:
        endpoint = self._endpoint
        connection = endpoint.take(repeatable=self._repeatable)
        if connection is not None:
            self._use(connection)
            return
        may_fall_back = self._repeatable or self._lane.repeat_writes
        if (
            endpoint.resting
            and may_fall_back
            and self._lane.fallback is not None
            and not self.fell_back
        ):
            self.on_failure(Failure.UNREACHED)
            return
        self._client.expect_progress(None)
        self._cancel = endpoint.connect(self)

    def _use(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        head = self._head
        if self._pending:
            head = b"".join((head, *self._pending))
            self._drop_pending()
            self._client.resume_reading()
        if self._client.writing_paused:
            connection.pause_reading()
        complete = self._client.request_complete
        timeouts = self._timeouts
        self._client.expect_progress(timeouts.response if complete else timeouts.stall)
        connection.start(self, self._method, head)

    def _let_go(self, *, complete: bool) -> None:
        """Done with an answer that the client does not get."""
        if self._connection is not None and not complete:
            self._connection.abort()
        self._connection = None

    def _count(self, *, failed: bool) -> None:
        """Count how the origin that was asked first has done, once per request."""
        if self._counted:
            return
        self._counted = True
        cell = self._lane.cell
        cell.record((monotonic() - self._started) * 1000.0)
        if failed:
            cell.errors += 1

    def _drop_pending(self) -> None:
        if self._pending:
            self._pending = []
            self._pending_size = 0
