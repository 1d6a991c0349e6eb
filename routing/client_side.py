"""One client connection: reads requests, writes answers, one after another.

A request is not read before the one in front of it has been answered, so pipelined requests are
answered in order. Bodies are passed on as they come; either side's pace holds the other one back.
"""

import asyncio
import re
import socket
import struct
from email.utils import formatdate
from time import monotonic
from typing import TYPE_CHECKING

from routing.changes import Changes
from routing.chunked import ChunkedBody
from routing.errors import BadMessage, LastHop, NoRoom
from routing.exchange import Exchange
from routing.message import (
    CHUNKED,
    UNTIL_CLOSE,
    RequestHead,
    ResponseHead,
)
from routing.outbox import DIRECT, BatchedProtocol
from routing.pending_body import MAX_PENDING
from routing.problems import last_hop, problem
from routing.visitor import Visitor

if TYPE_CHECKING:
    from routing.proxy import Proxy

LINGER_SECONDS = 2.0
"""How long a closing connection still reads, so that the last answer is not lost by a reset."""

_NEVER = float("inf")
_IDLE, _IN_HEAD, _BUSY, _TUNNEL, _LINGER, _CLOSED = range(6)
_CODING_LINE = re.compile(rb"(?im)^transfer-encoding:[^\r]*+\r\n")
_DATE = re.compile(rb"\n(?i:date):").search
_EMPTY_LINES = re.compile(rb"(?:\r\n)++").match
_RESET = struct.pack("ii", 1, 0)
_VIA = b"Via: 1.1 migrator\r\n"
_VIA_1_0 = b"Via: 1.0 migrator\r\n"


class ClientConnection(BatchedProtocol):
    """For `edge`, `source` and `vouches` see `Visitor`."""

    __slots__ = (
        "_adorned",
        "_at_end",
        "_body_left",
        "_buffer",
        "_chunks",
        "_closes",
        "_counted",
        "_exchange",
        "_head",
        "_lane",
        "_mode",
        "_paused",
        "_proxy",
        "_upstream_eof",
        "_visitor",
        "deadline",
        "end",
        "request_complete",
        "wants_payload",
        "writing_paused",
    )

    _head: RequestHead

    def __init__(
        self, proxy: "Proxy", *, edge: bool, source: bytes | None = None, vouches: bool = True
    ) -> None:
        super().__init__(proxy.outbox)
        self._proxy = proxy
        self._visitor = Visitor(proxy, edge=edge, source=source, vouches=vouches)
        self._exchange = Exchange(self, proxy.loop)
        self._mode = _IDLE
        self._buffer = b""
        self._lane = proxy.routing.unrouted
        self._counted: bytes | None = None
        """Whom this connection is counted for."""
        self._closes = False
        self._adorned = False
        self._at_end = False
        self._upstream_eof = False
        self._paused = False
        """Nothing is read: an origin, or this client, does not take what it is sent."""
        self._body_left = 0
        self._chunks: ChunkedBody | None = None
        self.request_complete = True
        self.wants_payload = False
        self.writing_paused = False
        self.deadline = _NEVER
        self.end = _NEVER
        """Monotonic time at which the request in flight must have been answered whole."""

    # Called by the acceptor, before there is a transport.

    def count(self) -> bool:
        """Count the connection for its client; False: that one has as many as it may have."""
        proxy = self._proxy
        most = proxy.routing.limits.connections_per_client
        client = self._visitor.countable if most else None
        if client is not None:
            if not proxy.connections.take(client, most):
                return False
            self._counted = client
        return True

    def uncount(self) -> None:
        """The connection has ended, or has not come about."""
        client, self._counted = self._counted, None
        if client is not None:
            self._proxy.connections.give(client)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        proxy = self._proxy
        self._visitor.arrive(transport)
        proxy.clients.add(self)
        self.expect_progress(proxy.routing.timeouts.idle)
        if self._counted is None and not self.count():
            most = proxy.routing.limits.connections_per_client
            self._refuse(429, f"This address has more than {most} connections.")

    def data_received(self, data: bytes) -> None:
        mode = self._mode
        if mode == _IDLE:
            self._read_head(data)
        elif mode == _BUSY:
            if self.request_complete:
                self._hold(data)
            else:
                self._read_body(data)
        elif mode == _IN_HEAD:
            self._read_more_head(data)
        elif mode == _TUNNEL:
            if self.deadline != _NEVER:
                self.expect_progress(self._proxy.routing.timeouts.stall)
            self._exchange.send(data)

    def eof_received(self) -> bool:
        self.flush()
        self._at_end = True
        if self._mode == _TUNNEL:
            self.expect_progress(self._proxy.routing.timeouts.stall)
            self._exchange.send_eof()
            return self._transport.can_write_eof() and not self._upstream_eof
        # Without TLS a client that has said all may still listen, but not for events without end.
        return (
            self._mode == _BUSY
            and self.request_complete
            and self._transport.can_write_eof()
            and not self._exchange.sends_events
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._mode = _CLOSED
        self.deadline = self.end = _NEVER
        self._proxy.clients.discard(self)
        self.uncount()
        self._exchange.cancel()
        if self._exchange.record is not None:
            self._end_record(complete=False)

    def pause_writing(self) -> None:
        self.writing_paused = True
        self._exchange.pause_answer()
        if self._mode in (_IDLE, _IN_HEAD):
            # Who does not take answers gets no further ones: they would be held here.
            self.pause_reading()

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._mode == _IDLE:
            self.expect_progress(self._proxy.routing.timeouts.idle)
            self._take_next()
        elif self._mode == _IN_HEAD:
            self.resume_reading()
        else:
            if self._mode == _BUSY and self.deadline != _NEVER:
                self.expect_progress(self._proxy.routing.timeouts.stall)
            self._exchange.resume_answer()

    # Called by the proxy.

    def late(self) -> None:
        """The deadline, or the end of the time for the whole request, has passed."""
        if self.writing_paused:
            self.abort()
        elif self._mode == _BUSY:
            if self.end < self._proxy.now:
                self._exchange.expire()
            elif self.request_complete or self._paused:
                self._exchange.late()
            else:
                self._refuse_body(408, None)
        elif self._mode == _IN_HEAD:
            self._refuse(408, None)
        elif self._mode == _LINGER:
            self._transport.abort()
        else:
            self.close()

    def drain(self) -> None:
        """Close when the request in flight is answered; at once if there is none."""
        if self._mode == _IDLE:
            self.close()

    def abort(self) -> None:
        """Cut the connection: the client sees that the answer is not complete.

        By a reset, for an answer without a length would be complete at an orderly end.
        """
        connection = self._transport.get_extra_info("socket")
        if connection is not None and not self._transport.is_closing():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def close(self) -> None:
        """Close after what has been written, and cut a client that does not take it."""
        self._mode = _LINGER
        self.end = _NEVER
        self.expect_progress(self._proxy.routing.timeouts.stall)
        super().close()

    # Reading requests.

    def _read_more_head(self, data: bytes) -> None:
        joined = self._buffer + data
        limits = self._proxy.routing.limits
        if b"\n" not in data and len(joined) <= limits.head:
            # Nothing new can be known, unless the first line has become too long. Matching the
            # whole head for each byte of a slow one would cost quadratic time.
            if len(joined) <= limits.request_line or b"\n" in self._buffer:
                self._buffer = joined
                return
        elif joined.count(b"\n") > limits.fields + 2 and b"\r\n\r\n" not in joined:
            self._refuse(431, f"The request has more than {limits.fields} fields.")
            return
        self._buffer = b""
        self._read_head(joined)

    def _read_head(self, data: bytes) -> None:
        try:
            head = self._visitor.reader.read(data)
        except BadMessage as exc:
            empty = _EMPTY_LINES(data)
            if empty is not None:
                # RFC 9112, 2.2: an empty line before a request is ignored.
                self._read_head(data[empty.end() :])
                return
            if isinstance(exc, LastHop):
                self._answer_in_place(exc.status)
                return
            self._refuse(exc.status, f"Not accepted: {exc}.")
            return
        if head is None:
            if data and self._mode == _IDLE:
                self._mode = _IN_HEAD
                self.expect_progress(self._proxy.routing.timeouts.header)
            self._buffer = data
            return
        self._begin(head, data)

    def _begin(self, head: RequestHead, data: bytes) -> None:
        proxy = self._proxy
        routing = proxy.routing
        visitor = self._visitor
        visitor.decide(head)
        lane = visitor.lane
        self._lane = lane
        self._head = head
        self._mode = _BUSY
        self.end = proxy.now + routing.total
        self._closes = not head.keep_alive
        self._adorned = visitor.exposed or bool(visitor.minted) or not head.minor
        self.wants_payload = head.minor == 0
        self.request_complete = head.body == 0
        out = visitor.request(head)
        watch = proxy.watch
        watch.left -= 1
        if watch.left < 0:
            self._exchange.record = watch.begin(
                head,
                lane,
                visitor.evaluation,
                visitor.known.context,
                visitor.address,
                edge=visitor.edge,
                scheme=visitor.scheme_of(head),
            )
        if lane.changes is not None and lane.changes.redirects:
            self._redirect(lane.changes, data)
            return
        copy = None
        if lane.also is not None and not head.websocket:
            try:
                copy = lane.also.copy(head, visitor.known.header, out)
            except NoRoom as why:
                self._refuse(why.status, str(why))
                return
            if copy is not None:
                out = copy.head
                if self._exchange.record is not None:
                    self._exchange.record.copied = copy
        if lane.changes is not None:
            self._exchange.keep(out)
            out = lane.changes.request(out, head)
        self._exchange.begin(
            lane,
            visitor.evaluation,
            routing.timeouts,
            head.method,
            out,
            has_body=head.body != 0,
            websocket=head.websocket,
            copy=copy,
        )
        rest = data[head.end :]
        if head.body == 0:
            if rest:
                self._hold(rest)
            return
        self._body_left = head.body
        self._chunks = ChunkedBody(routing.max_body) if head.body == CHUNKED else None
        if rest:
            self._read_body(rest)

    def _redirect(self, changes: Changes, data: bytes) -> None:
        """Answer by a redirect. A body is not waited for: the connection closes."""
        head = self._head
        if self._exchange.record is not None:
            self._exchange.record.status = changes.status
        self._exchange.redirected(self._lane, self._visitor.evaluation)
        self._closes = self._closes or self._proxy.draining or not self.request_complete
        line = changes.redirect(head, formatdate(usegmt=True))
        self.write(b"".join((line, self._extra_lines(), b"\r\n")))
        if self.request_complete:
            self._hold(data[head.end :])
        # Not at once: pipelined requests would nest without a limit.
        self.deadline = self.end = _NEVER
        self._proxy.loop.call_soon(self._finish)

    def _read_body(self, data: bytes) -> None:
        if self._chunks is None:
            end = min(self._body_left, len(data))
            self._body_left -= end
            self.request_complete = not self._body_left
        else:
            try:
                end = self._chunks.feed(data)
            except BadMessage as exc:
                self._refuse_body(exc.status, f"Not accepted: {exc}.")
                return
            self.request_complete = self._chunks.done
        timeouts = self._proxy.routing.timeouts
        if self.deadline != _NEVER:
            self.expect_progress(timeouts.response if self.request_complete else timeouts.stall)
        if end == len(data):
            self._exchange.send(data)
            return
        self._hold(data[end:])
        self._exchange.send(data[:end])

    def _hold(self, data: bytes) -> None:
        """Keep pipelined bytes until the request before them is answered."""
        self._buffer += data
        if len(self._buffer) > MAX_PENDING:
            self.pause_reading()

    # Called by the exchange.

    def interim(self, head: ResponseHead) -> None:
        if self._head.minor:
            self.write(head.forward + b"\r\n")

    def answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None:
        forward = head.forward
        dated = head.dated
        if self._lane.changes is not None and not self._exchange.fell_back:
            forward = self._lane.changes.response(forward)
            dated = _DATE(forward) is not None
        if not dated:
            # RFC 9110, 6.6.1.
            forward += self._proxy.date_line
        if head.body == UNTIL_CLOSE or self._proxy.draining or not self.request_complete:
            self._closes = True
        if self.wants_payload:
            forward = _CODING_LINE.sub(b"", forward)
            self._closes = self._closes or head.body == CHUNKED
        extra = self._extra_lines() if self._closes or self._adorned else b""
        via = _VIA if head.minor else _VIA_1_0
        if len(body) > DIRECT:  # which would be copied
            self.write(b"".join((forward, via, extra, b"\r\n")))
            self.write(body)
        else:
            self.write(b"".join((forward, via, extra, b"\r\n", body)))
        if complete:
            self._finish()

    def body(self, data: bytes, *, complete: bool) -> None:
        self.write(data)
        if complete:
            self._finish()

    def tunnel(self, head: ResponseHead, data: bytes) -> None:
        self._mode = _TUNNEL
        self.end = _NEVER
        self.probe_peer()
        lines = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        self.write(b"".join((head.forward, _VIA, self._decision_lines(), lines, b"\r\n", data)))
        held, self._buffer = self._buffer, b""
        self.resume_reading()
        if held:
            self._exchange.send(held)
        if self._at_end:
            self.expect_progress(self._proxy.routing.timeouts.stall)
            self._exchange.send_eof()

    def tunnel_data(self, data: bytes) -> None:
        if self.deadline != _NEVER:
            self.expect_progress(self._proxy.routing.timeouts.stall)
        self.write(data)

    def tunnel_eof(self) -> bool:
        self._upstream_eof = True
        if self._at_end or self._transport.is_closing():
            self.close()
            return False
        self.expect_progress(self._proxy.routing.timeouts.stall)
        self.write_eof()
        return True

    def fail(self, status: int) -> None:
        """No origin has answered."""
        if self._exchange.record is not None:
            self._exchange.record.status = status
        self._closes = self._closes or self._proxy.draining or not self.request_complete
        content = self._head.method != b"HEAD"
        self.write(
            problem(status, None, formatdate(usegmt=True), self._extra_lines(), body=content)
        )
        self._finish()

    def turn_away(self, why: NoRoom) -> None:
        """Call the request off before the origin has all of it."""
        self._refuse_body(why.status, str(why))

    def pause_reading(self) -> None:
        self._paused = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def expect_progress(self, seconds: float | None) -> None:
        """Set the deadline; None: whoever calls has a time-out of its own."""
        self.deadline = _NEVER if seconds is None else self._proxy.now + seconds

    # Writing answers.

    def _extra_lines(self) -> bytes:
        lines = self._decision_lines()
        if self._closes:
            lines += b"Connection: close\r\n"
        elif self._head.minor == 0:
            lines += b"Connection: keep-alive\r\n"
        return lines

    def _decision_lines(self) -> bytes:
        exchange = self._exchange
        return self._visitor.decision_lines(
            self._head, exchange.evaluation, fell_back=exchange.fell_back
        )

    def _finish(self) -> None:
        """The answer is complete: take the next request, or close."""
        if self._transport.is_closing():
            return
        if self._exchange.record is not None:
            self._end_record(complete=True)
        if not self.request_complete:
            self._linger()
        elif self._closes and self._buffer and not self._at_end:
            # To close with more on its way would reset the connection, and the answer be lost.
            self._linger()
        elif self._closes or (self._at_end and not self._buffer):
            self.close()
        else:
            self._mode = _IDLE
            self.end = _NEVER
            self.expect_progress(self._proxy.routing.timeouts.idle)
            if self.writing_paused:
                self.pause_reading()
            else:
                self._take_next()

    def _take_next(self) -> None:
        """The client may ask again, or has done so already."""
        if self._paused:
            self.resume_reading()
        if self._buffer:
            data, self._buffer = self._buffer, b""
            self._read_head(data)
            if self._at_end and not (self._mode == _BUSY and self.request_complete):
                self.close()  # the rest of this request will not come

    def _end_record(self, *, complete: bool) -> None:
        record, self._exchange.record = self._exchange.record, None
        if record is not None:
            record.end(monotonic(), complete=complete)

    def _answer_in_place(self, status: int) -> None:
        """Answer for whoever would be next. A body is not waited for: the connection closes."""
        if status >= 400:
            self._proxy.watch.refuse(self._visitor.address, status, edge=self._visitor.edge)
        self.write(last_hop(status, formatdate(usegmt=True)))
        self._linger()

    def _refuse(self, status: int, detail: str | None) -> None:
        """Answer bytes that are not acceptable; what follows them cannot be trusted."""
        if self._exchange.record is not None:
            self._exchange.record.status = status
            self._end_record(complete=True)
        elif self._mode != _BUSY:
            visitor = self._visitor
            self._proxy.watch.refuse(visitor.address, status, edge=visitor.edge)
        close = b"Connection: close\r\n"
        self.write(problem(status, detail, formatdate(usegmt=True), close, body=True))
        self._linger()

    def _refuse_body(self, status: int, detail: str | None) -> None:
        """Call the request off. In the middle of its answer nothing else can be said."""
        self._exchange.cancel()
        if self._exchange.answered:
            self.abort()
        else:
            self._refuse(status, detail)

    def _linger(self) -> None:
        self._mode = _LINGER
        self.end = _NEVER
        self._buffer = b""
        self.expect_progress(LINGER_SECONDS)
        self.resume_reading()
        self.write_eof()
