"""Chooses some of many requests at random, at a bounded rate, and knows how many each stands for.

Pure: clock and chance come in. The request that is chosen carries as its weight the number of
requests since the last choice, so the weights always add up to the requests; and because the gap
between two choices is random, kinds of requests are represented without bias, at any rate.

The gap doubles when the tokens run out and halves when half of them are back, so a choice costs the
requests in between one comparison, and nothing has to be known about the traffic beforehand.
"""

from collections.abc import Callable

_WIDEST = 1 << 20


class TokenBucket:
    """At most `rate` a second in the long run, and one second's worth at once."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        """`now`: monotonic seconds, here and below."""
        self._rate = rate
        self._burst = self._tokens = max(rate, 1.0)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more may pass now."""
        self._fill(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def half_full(self, now: float) -> bool:
        self._fill(now)
        return self._tokens >= self._burst / 2

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class RateBound:
    """Whoever uses it counts requests down from `gap()` and asks `weigh` about the one after."""

    __slots__ = ("_bucket", "_chance", "_mean", "_passed")

    def __init__(self, rate: float, now: float, chance: Callable[[], float]) -> None:
        """`chance`: a random number of [0, 1)."""
        self._bucket = TokenBucket(rate, now)
        self._chance = chance
        self._mean = 1
        self._passed = 0

    def gap(self) -> int:
        """How many requests to let pass before the next candidate."""
        return int(self._chance() * (2 * self._mean - 1))

    def let_pass(self, requests: int) -> None:
        """So many were let pass since the last call of this or of `weigh`."""
        self._passed += requests

    def weigh(self, now: float, *, wanted: bool) -> int:
        """The number of requests that the candidate stands for; 0: it is not chosen. `wanted`:
        it can be chosen; one that cannot stands for those before it all the same."""
        weight = self._passed + 1
        if not wanted:
            self._passed = 0
            return 0
        if not self._bucket.take(now):
            self._passed = weight
            self._mean = min(self._mean * 2, _WIDEST)
            return 0
        self._passed = 0
        self.relax(now)
        return weight

    def relax(self, now: float) -> bool:
        """Come closer if there is room; whether the gap should be drawn again. To be called now
        and then, so that a gap that was right for much traffic ends when there is little."""
        if self._mean == 1 or not self._bucket.half_full(now):
            return False
        self._mean //= 2
        return True
