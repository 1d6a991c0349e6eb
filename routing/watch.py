"""Which requests are watched, and who is told of them when they are over.

`left` counts down to the next request that anybody wants to know of: that is all that every other
request costs.
"""

import random
from time import monotonic, time
from typing import Any, Final

from ldclient.impl.events.event_context_formatter import EventContextFormatter

from routing.config import ProxyConfig
from routing.decision import Evaluation
from routing.evaluator import Evaluator, Known
from routing.flag_events import FlagEvents
from routing.lanes import Lane
from routing.record import Record

NOBODY: Final = 1 << 29
"""Requests to count down when nobody wants to know of any. More would make counting slower."""


class Watch:
    """See the module."""

    __slots__ = ("_drawn", "_evaluator", "_events", "left")

    def __init__(self, config: ProxyConfig, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._events = FlagEvents(random.random, monotonic())
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
        self._draw()

    def see(self, known: Known) -> None:
        """A context that was not known before."""
        self._events.see(known.context, time(), monotonic())

    def begin(self, lane: Lane, evaluation: Evaluation | None, known: Known) -> Record | None:
        """The record of a request if anybody wants one. To be called when `left` is below 0."""
        now = monotonic()
        bound = self._events.bound
        event = None
        if bound is not None:
            bound.let_pass(self._drawn)
            detail = None
            if lane.route is not None and evaluation is not None:
                detail = self._evaluator.detail(lane.route.flag, known)
                if detail is not None and detail.given.value != evaluation.stage:
                    detail = None  # the decision was made elsewhere, or the flag has just changed
            event = self._events.begin(detail, lane.access, known.context, time(), now)
        self._draw()
        if event is None:
            return None
        return Record(now, self._end, migration_op=event)

    def tick(self) -> None:
        """To be called several times a second."""
        bound = self._events.bound
        if bound is not None and bound.relax(monotonic()):
            bound.let_pass(self._drawn - self.left)
            self._draw()

    def take_events(self) -> list[dict[str, Any]]:
        """What the flag server is to be told of single requests and contexts, once."""
        return self._events.take()

    def _draw(self) -> None:
        bound = self._events.bound
        self.left = self._drawn = NOBODY if bound is None else bound.gap()

    def _end(self, record: Record) -> None:
        if record.migration_op is not None:
            self._events.end(record.migration_op, record.attempts)
