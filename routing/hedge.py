"""A second attempt at a read whose first one takes long; the first answer wins.

Dean and Barroso, "The Tail at Scale", 2013. Only for requests that may be repeated, and out of the
retry budget. The exchange has its own attempt; a `Hedge` is the other one until it wins, and hands
its connection over then.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from routing.group import Group
from routing.message import ResponseHead
from routing.pool import Endpoint
from routing.recovery import SERVER_ERRORS, Failure
from routing.upstream_side import UpstreamConnection


class Hedged(Protocol):
    """The exchange, as its hedge sees it."""

    @property
    def wants_payload(self) -> bool: ...

    def overtaken(self, hedge: "Hedge", connection: UpstreamConnection | None) -> None:
        """Call the own attempt off: the answer that follows is the hedge's, and the rest of it
        comes from `connection`, if there is a rest."""
        ...

    def on_answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None: ...


class Hedge:
    """`first` is asked already; `head` is the whole request."""

    __slots__ = (
        "_cancel",
        "_connection",
        "_exchange",
        "_first",
        "_group",
        "_head",
        "_method",
        "endpoint",
        "interim",
    )

    request_sent = True
    endpoint: Endpoint

    def __init__(
        self, exchange: Hedged, group: Group, first: Endpoint, method: bytes, head: bytes
    ) -> None:
        self._exchange = exchange
        self._group = group
        self._first = first
        self._method = method
        self._head = head
        self._connection: UpstreamConnection | None = None
        self.interim: list[ResponseHead] = []
        """1xx responses of this attempt, for the client only if it gets its answer, too."""
        self._cancel: Callable[[], object] | None = None

    def arm(self, loop: asyncio.AbstractEventLoop, after: float) -> None:
        """Begin after `after` seconds, unless cancelled before."""
        self._cancel = loop.call_later(after, self._begin).cancel

    def cancel(self) -> None:
        """Another answer is there, or none is wanted any more."""
        connection = self.surrender()
        if connection is not None:
            connection.abort()

    def surrender(self) -> UpstreamConnection | None:
        """End, and return the connection on which the request waits for its answer, if any."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        connection, self._connection = self._connection, None
        return connection

    def _begin(self) -> None:
        self._cancel = None
        endpoint = self._group.another((self._first,))
        if endpoint is None or not self._group.spend():
            return
        self._group.account.hedges += 1
        self.endpoint = endpoint
        connection = endpoint.take(repeatable=True)
        if connection is None:
            self._cancel = endpoint.connect(self)
        else:
            self.connected(connection)

    # Called by the endpoint.

    def connected(self, connection: UpstreamConnection) -> None:
        self._cancel = None
        self._connection = connection
        connection.start(self, self._method, self._head)

    def unreached(self) -> None:
        self._cancel = None
        self._group.failed(self.endpoint)

    def overflowed(self) -> None:
        self._cancel = None

    # Called by the upstream connection.

    @property
    def wants_payload(self) -> bool:
        return self._exchange.wants_payload

    def on_interim(self, head: ResponseHead) -> None:
        self.interim.append(head)

    def on_answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None:
        connection, self._connection = self._connection, None
        if head.status in SERVER_ERRORS:
            self._group.failed(self.endpoint)
            if connection is not None and not complete:
                connection.abort()
            return
        self._exchange.overtaken(self, None if complete else connection)
        self._exchange.on_answer(head, body, complete=complete)

    def on_failure(self, failure: Failure) -> None:
        self._connection = None
        if failure is not Failure.STALE:
            self._group.failed(self.endpoint)

    def on_tunnel(self, head: ResponseHead, data: bytes) -> None:
        """Nobody has asked for one."""
        self.cancel()
        self._group.failed(self.endpoint)

    def on_body(self, data: bytes, *, complete: bool) -> None:
        raise NotImplementedError("the exchange gets what follows a head")

    def on_broken(self) -> None:
        raise NotImplementedError("the exchange gets what follows a head")

    def on_tunnel_data(self, data: bytes) -> None:
        raise NotImplementedError("a hedge has no tunnel")

    def on_tunnel_eof(self) -> bool:
        raise NotImplementedError("a hedge has no tunnel")

    def on_tunnel_end(self) -> None:
        raise NotImplementedError("a hedge has no tunnel")

    def pause_request(self) -> None:
        """The request is one piece."""

    def resume_request(self) -> None:
        """The request is one piece."""
