"""Connections never exceed their limit, and nobody waits while one more may be opened."""

from collections import deque

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from routing.breaker import Breaker
from routing.config import CircuitBreaker


def test_without_limits() -> None:
    breaker: Breaker[str] = Breaker()
    for name in "abc":
        breaker.queue[name] = 0.0
        assert breaker.admit() == name
    assert not breaker.full
    assert breaker.connecting == 3


def test_full() -> None:
    breaker: Breaker[str] = Breaker()
    breaker.limits = CircuitBreaker(max_connections=1, max_pending_requests=2)
    breaker.queue.update(a=5.0, b=6.0)
    full = [breaker.full]
    assert (breaker.admit(), breaker.admit()) == ("a", None)
    full.append(breaker.full)
    assert breaker.expired(6.0) is None
    assert breaker.expired(6.1) == "b"
    full.append(breaker.full)
    assert full == [True, True, False], "a connection that is being opened is waited for, too"
    breaker.limits = None
    breaker.queue.update(c=7.0)
    assert breaker.admit() == "c", "limits that are gone hold nobody"


class Connections(RuleBasedStateMachine):
    """What an endpoint does with its breaker, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker: Breaker[int] = Breaker()
        self.breaker.limits = CircuitBreaker(max_connections=3, max_pending_requests=4)
        self.waiting: deque[int] = deque()
        self.number = 0

    def admit(self) -> None:
        while (admitted := self.breaker.admit()) is not None:
            assert admitted == self.waiting.popleft(), "first come, first served"

    @rule(patience=st.just(1.0))
    def ask(self, patience: float) -> None:
        if self.breaker.full:
            return
        self.number += 1
        self.breaker.queue[self.number] = self.number + patience
        self.waiting.append(self.number)
        self.admit()

    @precondition(lambda self: self.breaker.connecting)
    @rule(works=st.booleans())
    def settle(self, works: bool) -> None:
        self.breaker.connecting -= 1
        self.breaker.open += works
        self.admit()

    @precondition(lambda self: self.breaker.open)
    @rule()
    def lose(self) -> None:
        self.breaker.open -= 1
        self.admit()

    @rule()
    def expire(self) -> None:
        while (expired := self.breaker.expired(float(self.number))) is not None:
            assert expired == self.waiting.popleft()

    @invariant()
    def within_limits(self) -> None:
        breaker, limits = self.breaker, self.breaker.limits
        assert limits is not None
        assert breaker.open + breaker.connecting <= limits.max_connections
        assert breaker.connecting + len(breaker.queue) <= limits.max_pending_requests
        assert not (breaker.queue and breaker.may_connect), "somebody waits for nothing"


TestConnections = Connections.TestCase


@given(st.lists(st.floats(0, 10), max_size=20), st.floats(0, 10))
def test_the_order_of_waiting_is_kept(until: list[float], now: float) -> None:
    """As all wait equally long, the first in the queue is the first that has waited too long."""
    breaker: Breaker[int] = Breaker()
    breaker.queue.update(enumerate(sorted(until)))
    gone = 0
    while breaker.expired(now) is not None:
        gone += 1
    assert gone == sum(1 for each in until if each < now)
