"""How many repetitions an origin gets beside its requests, so that a failure makes no storm.

Pure: time comes in. The retry budget of Finagle and Linkerd: each request deposits a share of a
retry, each retry takes a whole one, and deposits expire. When everything fails, the load on the
origin grows by that share and not by the number of attempts.
"""

from typing import Final

from routing.config import RetryBudget

TTL: Final = 10.0
"""Seconds that a deposit can be spent, and a retry weighs."""
WINDOWS: Final = 10
"""TTL passes in steps of a tenth."""


class Budget:
    """Of one origin."""

    __slots__ = ("_balances", "_current", "_percent", "_reserve", "rules")

    def __init__(self, rules: RetryBudget) -> None:
        self.rules = rules
        self._percent = rules.budget_percent
        self._reserve = rules.min_retries_per_second * TTL * 100.0
        self._balances = [0.0] * WINDOWS
        """Deposits less withdrawals by window, in hundredths of a retry."""
        self._current = 0
        """Number of the newest window."""

    def deposit(self, now: float) -> None:
        """Count a request."""
        self._balances[self._window(now)] += self._percent

    def withdraw(self, now: float) -> bool:
        """Take one retry; False if there is none."""
        window = self._window(now)
        if self._reserve + sum(self._balances) < 100.0:
            return False
        self._balances[window] -= 100.0
        return True

    def _window(self, now: float) -> int:
        """Where to count at `now`. Empties the windows that have expired."""
        number = int(now * WINDOWS / TTL)
        if number > self._current:
            for expired in range(max(self._current, number - WINDOWS) + 1, number + 1):
                self._balances[expired % WINDOWS] = 0.0
            self._current = number
        return self._current % WINDOWS
