"""What one worker has counted of an origin as a whole. Pure."""

from routing.config import RetryBudget
from routing.retry_budget import Budget


class Account:
    """What of an origin outlives a change of its configuration."""

    __slots__ = ("asked", "budget", "failed", "hedges", "over_budget", "retries", "unreached")

    def __init__(self) -> None:
        self.budget: Budget | None = None
        """None: requests are repeated without a limit of their number."""
        self.asked = 0
        """Requests of users that it was the first to be asked, and that are over."""
        self.failed = 0
        """Those of them that it failed, also those that were not sent because it rests."""
        self.unreached = 0
        """Connections for them that could not be made."""
        self.retries = 0
        """Requests sent to the origin once more."""
        self.over_budget = 0
        """Repetitions that the budget did not allow."""
        self.hedges = 0
        """Those of the retries that were second attempts beside a first one."""

    def limit(self, rules: RetryBudget | None) -> None:
        """Have a budget by `rules`."""
        if rules is None:
            self.budget = None
        elif self.budget is None or self.budget.rules != rules:
            self.budget = Budget(rules)
