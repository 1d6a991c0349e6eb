"""One request on its way: which origin is asked, what has been sent, what happens on failure.

One object per client connection, used for one request after another. It stands between the client
side and the upstream side and knows neither's bytes; the rules of repeating are in `recovery`.
"""

import asyncio
import re
from collections.abc import Callable
from time import monotonic

from routing.client import Client
from routing.config import Timeouts
from routing.copies import Copy
from routing.decision import Evaluation
from routing.errors import NoRoom
from routing.group import Group
from routing.hedge import Hedge
from routing.lanes import Lane
from routing.message import ResponseHead
from routing.pending_body import PendingBody
from routing.pool import Endpoint
from routing.record import Record
from routing.recovery import SERVER_ERRORS, STATUS_OF, Failure, Move
from routing.score import Score
from routing.stages import SAFE_METHODS, Access, Side
from routing.trials import Trials
from routing.upstream_side import UpstreamConnection

_EVENT_STREAM = re.compile(rb"\n(?i:content-type):[ \t]*+(?i:text/event-stream)[ \t]*+[;\r]").search


class Exchange:
    """See the module. `fell_back` and `evaluation` are for the answer's decision line; `answered`:
    an answer's head has gone to the client."""

    __slots__ = (
        "_begun",
        "_blocked",
        "_cancel",
        "_client",
        "_connection",
        "_copy",
        "_endpoint",
        "_head",
        "_hedge",
        "_held",
        "_lane",
        "_loop",
        "_method",
        "_original",
        "_pending",
        "_repeatable",
        "_score",
        "_timeouts",
        "_trials",
        "_websocket",
        "answered",
        "evaluation",
        "fell_back",
        "record",
    )

    _lane: Lane
    _endpoint: Endpoint
    _timeouts: Timeouts
    _begun: ResponseHead
    """Of the last answer that has not come to its end with its head."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._connection: UpstreamConnection | None = None
        self._cancel: Callable[[], object] | None = None
        self._blocked = False
        """The origin takes no more of the request at the moment."""
        self._copy: Copy | None = None
        self._held: tuple[ResponseHead, bytes, bool] | None = None
        self._head = b""
        self._original = b""
        self._method = b""
        self._pending = PendingBody()
        self._score = Score()
        self._repeatable = False
        self._websocket = False
        self.answered = False
        self._trials: Trials | None = None
        self._hedge: Hedge | None = None
        self.evaluation: Evaluation | None = None
        self.fell_back = False
        self.record: Record | None = None
        """Of the request in flight, if it is watched."""

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
        copy: Copy | None,
    ) -> None:
        """Ask the lane's origin. `head` is the whole request head as the origin gets it."""
        self._copy = copy
        self._lane = lane
        self.evaluation = evaluation
        self._timeouts = timeouts
        self._method = method
        self._head = head
        self._repeatable = not has_body and method in SAFE_METHODS and lane.access is Access.READ
        self._websocket = websocket
        self.answered = self.fell_back = self._blocked = False
        self._trials = None
        self._score.begin(lane.cell, lane.group.account)
        self._endpoint = lane.endpoint or self._choose(lane.group)
        self._dispatch()
        if copy is not None:
            copy.dispatched(self)

    def keep(self, original: bytes) -> None:
        """Before `begin`, for a lane with changes: the head as the monolith gets it."""
        self._original = original

    def redirected(self, lane: Lane, evaluation: Evaluation | None) -> None:
        """Count a request that is answered by a redirect instead of an origin."""
        self.evaluation = evaluation
        self.fell_back = False
        self._score.begin(lane.cell, lane.group.account)
        self._score.redirected()

    def send(self, data: bytes) -> None:
        """More of the request's body, or of a tunnel."""
        if self.record is not None:
            self.record.received += len(data)
        if self._copy is not None and not self._copies(self._copy, data):
            return
        if self._connection is not None:
            self._connection.write(data)
            return
        self._pending.add(data)
        if self._pending.full:
            self._client.pause_reading()

    def send_eof(self) -> None:
        """The client's end of a tunnel."""
        if self._connection is not None:
            self._connection.write_eof()

    def pause_answer(self) -> None:
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_answer(self) -> None:
        if self._connection is not None and self._held is None:
            self._connection.resume_reading()

    def cancel(self) -> None:
        """The client is gone or was answered otherwise."""
        copy, self._copy, self._held = self._copy, None, None
        if copy is not None and copy.abandoned(self._connection, fell_back=self.fell_back):
            self._connection = None
        self._end_attempt()
        self._end_hedge()
        self._pending.take()

    def late(self) -> None:
        """The time set by `expect_progress` has passed, and the client is not to blame."""
        connection = self._connection
        if connection is not None and self.sends_events:
            # It may be silent for as long as both sides keep it, as a tunnel may.
            connection.probe_peer()
            self._client.probe_peer()
            self._client.expect_progress(None)
            return
        copy = self._copy
        if copy is not None and copy.full and not self._blocked and not self.request_sent:
            # Nor is the origin: it is the disk that is slow.
            self._client.turn_away(NoRoom(503, "Writes cannot be kept at the moment."))
            return
        self._end_attempt()
        if self._held is not None:
            # The origin has answered: it is the journal that is slow.
            self._held = None
            self._client.fail(STATUS_OF[Failure.SLOW])
        elif self.answered:
            self.on_broken()
        else:
            self.on_failure(Failure.SLOW)

    def expire(self) -> None:
        """The time for the whole exchange has passed."""
        waiting = self._connection is not None and self._client.request_complete
        self.cancel()
        if self.answered:
            if self.record is not None:
                self.record.breaks()
            self._client.abort()
            return
        if self.record is not None:
            self.record.fails(self._side, self._endpoint.address, Failure.SLOW, monotonic())
        if waiting:
            self._group.failed(self._endpoint)
        if not self.fell_back:
            self._score.failed()
        self._client.fail(STATUS_OF[Failure.SLOW])

    @property
    def sends_events(self) -> bool:
        """Whether an answer is under way that is a stream of server-sent events."""
        return (
            self.answered
            and self._connection is not None
            and _EVENT_STREAM(self._begun.forward) is not None
        )

    # Called by the copy.

    def go_on(self, copy: Copy) -> None:
        if copy is self._copy:
            self._resume_client()

    def call_off(self, copy: Copy, why: NoRoom) -> None:
        if copy is self._copy and not self.request_sent:
            self._client.turn_away(why)

    # Called by the endpoint.

    def connected(self, connection: UpstreamConnection) -> None:
        self._cancel = None
        self._use(connection)

    def unreached(self) -> None:
        self._cancel = None
        self._group.account.unreached += 1
        self.on_failure(Failure.UNREACHED)

    def overflowed(self) -> None:
        self._cancel = None
        self.on_failure(Failure.OVERFLOW)

    # Called by the hedge.

    def overtaken(self, hedge: Hedge, connection: UpstreamConnection | None) -> None:
        self._hedge = None
        self._end_attempt()
        self._follow(hedge, connection)

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
        if self.record is not None:
            self.record.is_answered(self._side, self._endpoint.address, head.status, monotonic())
        if head.status >= 500 and head.status in SERVER_ERRORS:
            if self._hedge is not None and self._hedge_takes_over(Failure.SERVER_ERROR, complete):
                return
            move = self._move(Failure.SERVER_ERROR)
            if move is not Move.GIVE_UP:
                self._let_go(complete=complete)
                self._go_on(move)
                return
        elif self._endpoint.failing:
            self._endpoint.failing = 0
        if self._hedge is not None:
            self._end_hedge()
        self._score.answered(head.status, fell_back=self.fell_back)
        if complete:
            self._connection = None
        copy = self._copy
        waits = copy is not None and copy.answered(
            head, fell_back=self.fell_back, release=self._release
        )
        if copy is not None and not self.request_sent:
            # Its copy has come to an end, and holds back what may still be on its way no longer.
            self._resume_client()
        if waits:
            self._held = head, body, complete
            self.pause_answer()
            self._client.expect_progress(self._timeouts.response)
        else:
            self._answer(head, body, complete=complete)

    def on_body(self, data: bytes, *, complete: bool) -> None:
        if self._held is not None:
            # It was on its way when the connection was paused.
            head, body, _ = self._held
            self._connection = None if complete else self._connection
            self._held = head, body + data, complete
            return
        if self.record is not None:
            self.record.sent += len(data)
        if self._copy is not None:
            self._copy.content(data, complete=complete)
        if complete:
            self._connection = None
        else:
            self._client.expect_progress(self._timeouts.stall)
        self._client.body(data, complete=complete)

    def on_tunnel(self, head: ResponseHead, data: bytes) -> None:
        if not self._websocket:
            self._let_go(complete=False)
            self.on_failure(Failure.GARBLED)
            return
        if self.record is not None:
            self.record.is_answered(self._side, self._endpoint.address, head.status, monotonic())
        self._score.answered(head.status, fell_back=self.fell_back)
        self._endpoint.failing = 0
        self.answered = True
        self._client.expect_progress(None)
        self._client.tunnel(head, data)

    def on_tunnel_data(self, data: bytes) -> None:
        if self.record is not None:
            self.record.sent += len(data)
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
        # An answer that was an error is one failure, however it ends.
        if self._score.status not in SERVER_ERRORS:
            self._group.failed(self._endpoint)
        self._score.broke(fell_back=self.fell_back)
        if self.record is not None:
            self.record.breaks()
        self._client.abort()

    def on_failure(self, failure: Failure) -> None:
        self._connection = None
        self._held = None
        if self.record is not None:
            self.record.fails(self._side, self._endpoint.address, failure, monotonic())
        if self._hedge is not None and self._hedge_takes_over(failure):
            return
        move = self._move(failure)
        if move is Move.GIVE_UP:
            if not self.fell_back:
                self._score.failed()
            if self._copy is not None:
                seen = failure not in (Failure.UNREACHED, Failure.OVERFLOW)
                self._copy.failed(seen=seen, fell_back=self.fell_back)
            self._pending.take()
            self._client.fail(STATUS_OF[failure])
        else:
            self._go_on(move)

    def pause_request(self) -> None:
        self._blocked = True
        self._client.pause_reading()

    def resume_request(self) -> None:
        self._blocked = False
        self._resume_client()

    @property
    def _side(self) -> Side:
        return Side.OLD if self.fell_back else self._lane.decision.origin

    @property
    def _group(self) -> Group:
        """Of the origin that is asked now."""
        lane = self._lane
        return lane.fallback if self.fell_back and lane.fallback is not None else lane.group

    def _choose(self, group: Group) -> Endpoint:
        """The endpoint for a new request; prepares its hedge."""
        endpoint = group.choose()
        if group.hedge_after is not None and self._repeatable and not self._websocket:
            self._hedge = Hedge(self, group, endpoint, self._method, self._head)
            self._hedge.arm(self._loop, group.hedge_after)
        return endpoint

    def _end_attempt(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def _end_hedge(self) -> None:
        if self._hedge is not None:
            self._hedge.cancel()
            self._hedge = None

    def _hedge_takes_over(self, failure: Failure, complete: bool = False) -> bool:
        """After `failure` of the own attempt go on with the hedge's, if that is under way."""
        hedge, self._hedge = self._hedge, None
        connection = None if hedge is None else hedge.surrender()
        if hedge is None or connection is None:
            return False
        self._let_go(complete=complete)
        self._trials_here().note(failure, self._endpoint)
        self._follow(hedge, connection)
        return True

    def _follow(self, hedge: Hedge, connection: UpstreamConnection | None) -> None:
        """The hedge's attempt is the own one now. None: its answer is complete already."""
        self._endpoint = hedge.endpoint
        self._connection = connection
        if connection is not None:
            connection.hand_to(self)
            self._client.expect_progress(self._timeouts.response)
            if self._client.writing_paused:
                connection.pause_reading()
        for head in hedge.interim:
            self._client.interim(head)

    def _trials_here(self) -> Trials:
        """Of this request at the origin that is asked now."""
        if self._trials is None:
            self._trials = Trials(self._group, monotonic() + self._timeouts.retry)
        return self._trials

    def _move(self, failure: Failure) -> Move:
        trials = self._trials_here()
        trials.note(failure, self._endpoint)
        return trials.next_move(
            failure,
            monotonic(),
            repeatable=self._repeatable,
            fallback=self._lane.fallback is not None and not self.fell_back,
            writes=self._lane.repeat_writes,
        )

    def _go_on(self, move: Move) -> None:
        trials = self._trials_here()
        if move is Move.FALL_BACK:
            self._fall_back()
        elif move is Move.ANOTHER and trials.another is not None:
            self._endpoint = trials.another
            self._dispatch()
        elif move is Move.AGAIN:
            self._client.expect_progress(None)
            self._cancel = self._endpoint.connect(self)
        else:
            self._client.expect_progress(None)
            self._cancel = self._loop.call_later(trials.pause(), self._try_again).cancel

    def _fall_back(self) -> None:
        self._end_hedge()
        self._score.failed()
        self.fell_back = True
        self._trials = None
        if self.record is not None:
            self.record.fell_back = True
        if self._lane.fallback is not None:
            self._endpoint = self._lane.fallback.only or self._lane.fallback.choose()
        if self._lane.changes is not None:
            self._head = self._original
        self._dispatch()

    def _try_again(self) -> None:
        self._cancel = None
        self._endpoint = self._group.only or self._group.choose_again()
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
            self._fall_back()
            return
        if endpoint.full:
            endpoint.overflows += 1
            # Not at once: pipelined requests would nest without a limit.
            self._client.expect_progress(None)
            self._cancel = self._loop.call_soon(self.overflowed).cancel
            return
        self._client.expect_progress(None)
        self._cancel = endpoint.connect(self)

    def _use(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        head = self._head
        if self.record is not None:
            address = self._endpoint.address
            head = self.record.asks(self._side, address, head, connection, monotonic())
        body = self._pending.take()
        if body:
            head += body
            self._blocked = False
            self._resume_client()
        if self._client.writing_paused:
            connection.pause_reading()
        complete = self._client.request_complete
        timeouts = self._timeouts
        self._client.expect_progress(timeouts.response if complete else timeouts.stall)
        connection.start(self, self._method, head)

    def _copies(self, copy: Copy, data: bytes) -> bool:
        """Whether the copy has got more of the request's body, so that the origin may."""
        complete = self._client.request_complete
        try:
            copy.add(data, complete=complete)
        except NoRoom as why:
            self._client.turn_away(why)
            return False
        if copy.full and not complete:
            self._client.pause_reading()
        return True

    def _resume_client(self) -> None:
        """Unless something else takes no more of the request."""
        copy = self._copy
        if self._blocked or self._pending.full or (copy is not None and copy.full):
            return
        self._client.resume_reading()

    def _release(self, copy: Copy) -> None:
        """The answer that waited for `copy` may go to the client, who may be gone."""
        if copy is self._copy and self._held is not None:
            (head, body, complete), self._held = self._held, None
            if not self._client.writing_paused:
                self.resume_answer()
            self._answer(head, body, complete=complete)

    def _answer(self, head: ResponseHead, body: bytes, *, complete: bool) -> None:
        self.answered = True
        if self.record is not None:
            self.record.sent = len(body)
        if self._copy is not None:
            self._copy.content(body, complete=complete)
        if not complete:
            self._begun = head
            self._client.expect_progress(self._timeouts.stall)
        self._client.answer(head, body, complete=complete)

    def _let_go(self, *, complete: bool) -> None:
        """Done with an answer that the client does not get."""
        if self._connection is not None and not complete:
            self._connection.abort()
        self._connection = None
