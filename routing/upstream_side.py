"""One connection to an origin: writes requests, reads responses, one exchange after another."""

from typing import TYPE_CHECKING, Protocol

from routing.chunked import ChunkedBody
from routing.errors import BadMessage
from routing.message import CHUNKED, UNTIL_CLOSE, ResponseHead
from routing.outbox import BatchedProtocol, Outbox
from routing.recovery import Failure

if TYPE_CHECKING:
    from routing.pool import Endpoint

_HEAD, _LENGTH, _CHUNKED, _UNTIL_CLOSE, _TUNNEL = range(5)


class Listener(Protocol):
    """The exchange that a connection serves. After `complete`, or after a failure, the connection
    has let go of it."""

    def on_interim(self, head: ResponseHead) -> None: ...

    def on_answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None: ...

    def on_body(self, data: bytes, *, complete: bool) -> None: ...

    def on_tunnel(self, head: ResponseHead, data: bytes) -> None: ...

    def on_tunnel_data(self, data: bytes) -> None: ...

    def on_tunnel_eof(self) -> bool: ...

    def on_tunnel_end(self) -> None: ...

    def on_failure(self, failure: Failure) -> None: ...

    def on_broken(self) -> None: ...

    def pause_request(self) -> None: ...

    def resume_request(self) -> None: ...

    @property
    def request_sent(self) -> bool: ...

    @property
    def wants_payload(self) -> bool: ...


class UpstreamConnection(BatchedProtocol):
    """Between exchanges (`_listener` None) any byte or end of the stream closes it."""

    __slots__ = (
        "_buffer",
        "_chunks",
        "_endpoint",
        "_keep_alive",
        "_listener",
        "_method",
        "_mode",
        "_paused",
        "_remaining",
        "_reused",
        "_writing_paused",
        "counted",
        "idle_since",
        "renewals",
    )

    def __init__(self, endpoint: "Endpoint", outbox: Outbox) -> None:
        super().__init__(outbox)
        self._endpoint = endpoint
        self._listener: Listener | None = None
        self._method = b""
        self._mode = _HEAD
        self._buffer = b""
        self._remaining = 0
        self._chunks = ChunkedBody()
        self._keep_alive = False
        self._reused = False
        self._paused = False
        self._writing_paused = False
        self.counted = False
        """Whether its endpoint counts it as open."""
        self.idle_since = 0.0
        self.renewals = 0
        """Of its endpoint's files for TLS, when it was begun."""

    @property
    def usable(self) -> bool:
        return not self._transport.is_closing()

    @property
    def peer(self) -> tuple[str, int] | None:
        """Address and port of the origin; None: it has gone away."""
        name = self._transport.get_extra_info("peername")
        return (name[0], name[1]) if name else None

    def start(self, listener: Listener, method: bytes, data: bytes) -> None:
        """Send the beginning of a request."""
        self._listener = listener
        self._method = method
        self._mode = _HEAD
        self.write(data)

    def hand_to(self, listener: Listener) -> None:
        """Let `listener` get what is still to come."""
        self._listener = listener

    def pause_reading(self) -> None:
        self._paused = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def hand_over(self, listener: Listener) -> None:
        """Tell `listener` from now on, instead of who was told before."""
        self._listener = listener
        self.resume_reading()

    def close(self) -> None:
        """Let go of the exchange and close; what was written is still sent."""
        self._listener = None
        super().close()

    def abort(self) -> None:
        """Let go of the exchange and cut the connection."""
        self._listener = None
        self._transport.abort()

    # Called by the event loop.

    def data_received(self, data: bytes) -> None:
        listener = self._listener
        if listener is None:
            self.abort()
            return
        mode = self._mode
        try:
            if mode == _HEAD:
                self._take_head(listener, data)
            elif mode == _LENGTH:
                size = len(data)
                if size > self._remaining:
                    data = data[: self._remaining]
                    self._keep_alive = False
                self._remaining -= len(data)
                self._pass_on(listener, data, complete=not self._remaining)
            elif mode == _CHUNKED:
                data, complete = self._take_chunks(listener, data)
                self._pass_on(listener, data, complete=complete)
            elif mode == _UNTIL_CLOSE:
                listener.on_body(data, complete=False)
            else:
                listener.on_tunnel_data(data)
        except BadMessage:
            self.abort()
            if mode == _HEAD:
                listener.on_failure(Failure.GARBLED)
            else:
                listener.on_broken()

    def eof_received(self) -> bool:
        if self._mode == _TUNNEL and self._listener is not None:
            if self._listener.on_tunnel_eof():
                return self._transport.can_write_eof()
            self._listener = None
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        listener, self._listener = self._listener, None
        self._endpoint.forget(self)
        if listener is None:
            return
        if self._mode == _HEAD:
            stale = self._reused and not self._buffer
            listener.on_failure(Failure.STALE if stale else Failure.RESET)
        elif self._mode == _UNTIL_CLOSE and exc is None:
            listener.on_body(b"", complete=True)
        elif self._mode == _TUNNEL and exc is None:
            listener.on_tunnel_end()
        else:
            listener.on_broken()

    def pause_writing(self) -> None:
        self._writing_paused = True
        if self._listener is not None:
            self._listener.pause_request()

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self._listener is not None:
            self._listener.resume_request()

    # Reading a response.

    def _take_head(self, listener: Listener, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        while True:
            head = self._endpoint.reader.read(data, self._method)
            if head is None:
                self._buffer = data
                return
            if head.status >= 200:
                break
            data = data[head.end :]
            if head.status == 101:
                if not head.websocket:
                    raise BadMessage(502, "the origin changes to another protocol than WebSocket")
                self._mode = _TUNNEL
                self.probe_peer()
                listener.on_tunnel(head, data)
                return
            listener.on_interim(head)
            if not data:
                return
        body = data[head.end :]
        self._keep_alive = head.keep_alive
        complete = False
        if head.body >= 0:
            self._mode = _LENGTH
            if len(body) > head.body:
                body = body[: head.body]
                self._keep_alive = False
            self._remaining = head.body - len(body)
            complete = not self._remaining
        elif head.body == CHUNKED:
            self._chunks = ChunkedBody()
            body, complete = self._take_chunks(listener, body)
            self._mode = _CHUNKED
        elif head.body == UNTIL_CLOSE:
            self._mode = _UNTIL_CLOSE
            self._keep_alive = False
        if complete:
            self._release(listener)
        listener.on_answer(head, body, complete=complete)

    def _take_chunks(self, listener: Listener, data: bytes) -> tuple[bytes, bool]:
        payload: list[bytes] | None = [] if listener.wants_payload else None
        end = self._chunks.feed(data, 0, payload)
        if end < len(data):
            self._keep_alive = False
        passed = data[:end] if payload is None else b"".join(payload)
        return passed, self._chunks.done

    def _pass_on(self, listener: Listener, data: bytes, *, complete: bool) -> None:
        if complete:
            self._release(listener)
        listener.on_body(data, complete=complete)

    def _release(self, listener: Listener) -> None:
        """The response is complete: back into the pool if the request is complete, too."""
        self._listener = None
        if self._writing_paused or not listener.request_sent:
            # It does not want the rest of the request, and may never take what is buffered.
            self._transport.abort()
        elif self._keep_alive and not self._transport.is_closing():
            self._reused = True
            self._mode = _HEAD
            if self._paused:
                self.resume_reading()
            self._endpoint.give_back(self)
        else:
            super().close()
