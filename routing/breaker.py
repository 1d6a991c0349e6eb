"""How many connections an endpoint has, how many it may have, and who waits for one.

Pure. Envoy's circuit breaker: an endpoint that has all the connections it may have gets a queue
instead of more load, and when the queue is full, too, a request is turned away at once. Waiting
longer would help nobody.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from routing.config import CircuitBreaker

W = TypeVar("W")


class Breaker(Generic[W]):
    """Of one endpoint. `limits` None: no limits."""

    __slots__ = ("connecting", "limits", "open", "queue")

    def __init__(self) -> None:
        self.limits: CircuitBreaker | None = None
        self.open = 0
        """Connections, idle ones included."""
        self.connecting = 0
        """Connections being opened, each for one request."""
        self.queue: OrderedDict[W, float] = OrderedDict()
        """Who waits, the longest first, and until what monotonic time."""

    @property
    def may_connect(self) -> bool:
        """Whether there may be one more connection."""
        return self.limits is None or self.open + self.connecting < self.limits.max_connections

    @property
    def full(self) -> bool:
        """Whether no further request may wait for a connection."""
        waiting = self.connecting + len(self.queue)
        return self.limits is not None and waiting >= self.limits.max_pending_requests

    def admit(self) -> W | None:
        """Who may open a connection now; counts it. None: nobody waits, or none may be opened."""
        if not self.queue or not self.may_connect:
            return None
        self.connecting += 1
        return self.queue.popitem(last=False)[0]

    def expired(self, now: float) -> W | None:
        """Who has waited for too long; takes it from the queue."""
        waiter = next(iter(self.queue), None)
        if waiter is None or self.queue[waiter] >= now:
            return None
        del self.queue[waiter]
        return waiter
