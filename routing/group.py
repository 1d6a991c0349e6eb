"""The endpoints of one origin: which of them gets a request, and what is known of them.

One worker's view. The rules are in `balancing`, `outlier`, `health`, `slow_start` and
`retry_budget`; here they meet the connections.
"""

import logging
from collections.abc import Callable, Sequence
from random import random
from typing import Any

from routing.account import Account
from routing.balancing import in_use, least_request
from routing.config import Upstream
from routing.outlier import eject
from routing.pool import Clock, Endpoint
from routing.slow_start import warmth

logger = logging.getLogger("routing.group")


class Group:
    """`name`: the service's, None for the monolith. `only` is the endpoint of an origin where
    nothing is to be chosen, checked or counted, which costs its requests nothing."""

    def __init__(
        self,
        name: str | None,
        upstream: Upstream,
        endpoints: Sequence[Endpoint],
        account: Account,
        clock: Clock,
        draw: Callable[[], float] = random,
    ) -> None:
        self.name = name
        self.upstream = upstream
        self.endpoints = tuple(endpoints)
        self.account = account
        self.only = self.endpoints[0] if upstream.plain else None
        self.hedge_after = None if upstream.hedge is None else upstream.hedge.after
        """Seconds."""
        self._clock = clock
        self._draw = draw
        self._chosen_from: Sequence[Endpoint] = self.endpoints

    def choose(self) -> Endpoint:
        """The endpoint for a new request."""
        if self.account.budget is not None:
            self.account.budget.deposit(self._clock.now)
        return self.choose_again()

    def choose_again(self) -> Endpoint:
        """The endpoint for a request that has been counted."""
        endpoint = least_request(self._chosen_from, self._draw)
        if endpoint.busy:
            free = [each for each in self._chosen_from if not each.busy]
            return least_request(free, self._draw) if free else endpoint
        return endpoint

    def another(self, tried: Sequence[Endpoint]) -> Endpoint | None:
        """One that has not been tried and has room; None if no usable one is left."""
        left = [
            each for each in self.endpoints if each.usable and each not in tried and not each.full
        ]
        return least_request(left, self._draw) if left else None

    def spend(self) -> bool:
        """Take one repetition from the budget; False if there is none left."""
        account = self.account
        if account.budget is not None and not account.budget.withdraw(self._clock.now):
            account.over_budget += 1
            return False
        account.retries += 1
        return True

    def failed(self, endpoint: Endpoint) -> None:
        """A request has failed there."""
        endpoint.failures += 1
        endpoint.failing += 1
        if self.only is not None:
            return
        rules, now = self.upstream.outlier_detection, self._clock.now
        if endpoint.failing >= rules.consecutive_5xx:
            ejections = [each.ejection for each in self.endpoints]
            if eject(endpoint.ejection, ejections, rules, now):
                endpoint.failing = 0
                endpoint.usable_since = endpoint.ejection.until
                seconds = endpoint.ejection.seconds
                self._say("ejected", endpoint, f"for {seconds:g} s")
        self.refresh()

    def checked(self, endpoint: Endpoint, *, good: bool) -> None:
        """A health check has ended."""
        rules = self.upstream.health_check
        if rules is None or not endpoint.health.observe(good, rules):
            return
        if good:
            endpoint.usable_since = self._clock.now
        else:
            endpoint.drop_idle()
        self._say("healthy" if good else "unhealthy", endpoint, "by its health checks")
        self.refresh()

    def refresh(self) -> None:
        """Look anew at which endpoints get requests, and how warm they are."""
        window, now = self.upstream.slow_start_window, self._clock.now
        for endpoint in self.endpoints:
            endpoint.warmth = warmth(now - endpoint.usable_since, window)
        usable = [endpoint for endpoint in self.endpoints if endpoint.usable]
        self._chosen_from = in_use(self.endpoints, usable, self.upstream.healthy_panic_threshold)

    def document(self, wall: float) -> dict[str, Any]:
        """JSON. `wall` is what Unix time is ahead of the clock."""
        return {
            "service": self.name,
            "asked": self.account.asked,
            "failed": self.account.failed,
            "unreached": self.account.unreached,
            "retries": self.account.retries,
            "retries_over_budget": self.account.over_budget,
            "hedges": self.account.hedges,
            "endpoints": [endpoint.document(wall) for endpoint in self.endpoints],
        }

    def _say(self, what: str, endpoint: Endpoint, how: str) -> None:
        logger.warning(
            "endpoint.%s %s of %s %s", what, endpoint.address, self.name or "the monolith", how
        )
