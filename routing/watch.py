"""Which requests are watched, and who is told of them when they are over.

`left` counts down to the next request that anybody wants to know of: that is all that every other
request costs.
"""

import os
import random
from collections.abc import Callable, Iterable
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final

from ldclient import Context
from ldclient.impl.events.event_context_formatter import EventContextFormatter

from routing.access_log import AccessLines
from routing.config import ProxyConfig, Tracing
from routing.decision import Evaluation
from routing.flag_events import Detail, FlagEvents
from routing.hiding import Hiding
from routing.log_file import LogBuffer
from routing.message import RequestHead
from routing.record import Attempt, Lane, Record

if TYPE_CHECKING:
    from routing.tracing import Spans

NOBODY: Final = 1 << 29
"""Requests to count down when nobody wants to know of any. More would make counting slower."""


class Watch:
    """See the module."""

    __slots__ = (
        "_access_log",
        "_chance",
        "_detail",
        "_drawn",
        "_events",
        "_every",
        "_hiding",
        "_lines",
        "_log",
        "_spans",
        "_tracing",
        "_until_operation",
        "left",
    )

    def __init__(
        self, config: ProxyConfig, detail: Callable[[str, Context], Detail | None]
    ) -> None:
        """`detail` evaluates a flag, for an event; None if the flag is not known."""
        self._detail = detail
        self._chance = random.random
        self._events = FlagEvents(self._chance, monotonic())
        self._log: LogBuffer | None = None
        self._tracing: Tracing | None = None
        self._spans: Spans | None = None
        self.apply(config)

    def apply(self, config: ProxyConfig) -> None:
        """Watch by `config` from now on; requests in flight are watched as they began."""
        form = EventContextFormatter(False, list(config.events.private_attributes))
        self._events.apply(
            config.events,
            lambda context, redact_anonymous: (
                form.format_context_redact_anonymous(context)
                if redact_anonymous
                else form.format_context(context)
            ),
            monotonic(),
        )
        self._access_log = config.access_log
        self._hiding = Hiding(config.redact.headers, config.redact.query)
        self._open_log()
        self._open_spans(config.tracing)
        self._every = self._log is not None or self._spans is not None
        """Whether each request is looked at, not only candidates for an event."""
        self._draw()

    def see(self, context: Context) -> None:
        """A context that was not known before."""
        self._events.see(context, time(), monotonic())

    def begin(
        self,
        head: RequestHead,
        lane: Lane,
        evaluation: Evaluation | None,
        context: Context,
        peer: bytes,
        *,
        edge: bool,
        scheme: bytes,
    ) -> Record | None:
        """The record of a request if anybody wants one. To be called when `left` is below 0."""
        now = monotonic()
        event = self._migration_op(lane, evaluation, context, now)
        logged = self._in_sample()
        trace = None if self._spans is None else self._spans.begin(head, now)
        log = self._access_log
        if event is None and trace is None and not logged and not (log and log.errors):
            return None
        record = Record(
            head,
            lane,
            evaluation,
            peer,
            edge=edge,
            scheme=scheme,
            began=now,
            done=self._end,
        )
        record.migration_op = event
        record.logged = logged
        record.trace = trace
        return record

    def refuse(self, peer: bytes, status: int, *, edge: bool) -> None:
        """Bytes that are no request were answered with `status`."""
        if self._log is not None and self._in_sample():
            self._log.add(self._lines.refusal(status, peer, time(), edge=edge))

    def measure(
        self, event: dict[str, Any], attempts: Iterable[Attempt], *, consistent: bool | None = None
    ) -> None:
        """Report an operation. `consistent`: whether both sides, if both were asked, agree."""
        self._events.end(event, attempts, consistent=consistent)

    def tick(self) -> None:
        """To be called several times a second."""
        if self._log is not None:
            self._log.flush()
        bound = self._events.bound
        if bound is not None and bound.relax(monotonic()):
            waiting = self._until_operation if self._every else self.left
            bound.let_pass(self._drawn - waiting)
            self._draw()

    def take_events(self) -> list[dict[str, Any]]:
        """What the flag server is to be told of single requests and contexts, once."""
        return self._events.take()

    def close(self, patience: float = 0.0) -> None:
        """Have the last lines and spans written; wait `patience` seconds for the spans."""
        self._close_log()
        self._close_spans(patience)

    @property
    def lines_dropped(self) -> int:
        """Lines of the access log that were not written."""
        return 0 if self._log is None else self._log.dropped

    def _in_sample(self) -> bool:
        """Whether the access log wants this request, however it ends."""
        log = self._access_log
        return log is not None and (log.sample == 1.0 or self._chance() < log.sample)

    def _open_log(self) -> None:
        access_log = self._access_log
        path = None if access_log is None else access_log.path
        if self._log is not None and self._log.path != path:
            self._close_log()
        if access_log is not None:
            self._lines = AccessLines(access_log.fields, self._hiding)
            self._log = self._log or LogBuffer(access_log.path)

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _open_spans(self, config: Tracing | None) -> None:
        if config == self._tracing:
            return
        self._close_spans(0.0)
        self._tracing = config
        if config is None:
            return
        # Only here: OpenTelemetry takes memory and time to import.
        from routing.tracing import Spans, is_disabled

        if not is_disabled(os.environ):
            self._spans = Spans(config, os.environ, self._chance, monotonic())

    def _close_spans(self, patience: float) -> None:
        if self._spans is not None:
            self._spans.close().join(patience)
            self._spans = None

    def _migration_op(
        self, lane: Lane, evaluation: Evaluation | None, context: Context, now: float
    ) -> dict[str, Any] | None:
        """The event of this request if its turn has come and it is chosen."""
        if self._every:
            self.left = 0
            self._until_operation -= 1
            if self._until_operation >= 0:
                return None
        event = None
        bound = self._events.bound
        if bound is not None:
            bound.let_pass(self._drawn)
            detail = None
            if lane.route is not None and evaluation is not None:
                detail = self._detail(lane.route.flag, context)
                if detail is not None and detail.given.value != evaluation.stage:
                    detail = None  # the decision was made elsewhere, or the flag has just changed
            event = self._events.begin(detail, lane.access, context, time(), now)
        self._draw()
        return event

    def _draw(self) -> None:
        """Choose the next candidate for an event."""
        bound = self._events.bound
        self._drawn = self._until_operation = NOBODY if bound is None else bound.gap()
        self.left = 0 if self._every else self._drawn

    def _end(self, record: Record) -> None:
        if record.migration_op is not None:
            self._operation_ended(record, record.migration_op)
        if record.trace is not None:
            record.trace.end(record, self._hiding)
        log = self._access_log
        if log is None or self._log is None:
            return
        if record.logged or (log.errors and record.failed):
            began = time() - (record.ended - record.began)
            self._log.add(self._lines.line(record, began))

    def _operation_ended(self, record: Record, event: dict[str, Any]) -> None:
        """Report it, once both sides are compared if they are."""

        def tell(other: Attempt, consistent: bool | None) -> None:
            self.measure(event, (*record.attempts, other), consistent=consistent)

        if record.copied is None or not record.copied.tell(tell):
            self.measure(event, record.attempts)
