"""How the origin that a request asks first does: counted once, whatever comes after.

Pure but for the clocks.
"""

from time import monotonic, time

from routing.account import Account
from routing.stats import Cell


class Score:
    """Of one request after another."""

    __slots__ = ("_account", "_cell", "_counted", "_started", "status")

    _account: Account
    _cell: Cell

    def __init__(self) -> None:
        self._counted = False
        self._started = 0.0
        self.status = 0
        """Of the answer that the client gets, once it has come."""

    def begin(self, cell: Cell, account: Account) -> None:
        """A request is decided; `cell` has its counters, `account` those of its origin."""
        self._account = account
        self._cell = cell
        self._counted = False
        self.status = 0
        self._started = monotonic()
        cell.requests += 1
        cell.last_decided_at = time()

    def redirected(self) -> None:
        """No origin was asked."""
        self._cell.record(0.0)

    def answered(self, status: int, *, fell_back: bool) -> None:
        """The client gets this answer; `fell_back`: the monolith's, in place of the first one's."""
        self.status = status
        if fell_back:
            self._cell.fallbacks += 1
        else:
            self._count(failed=status >= 500)

    def failed(self) -> None:
        """The origin that was asked first has not answered."""
        self._count(failed=True)

    def broke(self, *, fell_back: bool) -> None:
        """The answer has broken off. One that was an error is one error, however it ends."""
        if self.status < 500 and not fell_back:
            self._cell.errors += 1
            self._account.failed += 1

    def _count(self, *, failed: bool) -> None:
        if self._counted:
            return
        self._counted = True
        self._cell.record((monotonic() - self._started) * 1000.0)
        self._account.asked += 1
        if failed:
            self._cell.errors += 1
            self._account.failed += 1
