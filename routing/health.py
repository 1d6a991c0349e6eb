"""What an endpoint's active health checks say of it.

Pure. An endpoint is healthy until a check says otherwise, so that requests need not wait for the
first one; that one decides alone.
"""

from routing.config import HealthCheck


class Health:
    """Of one endpoint. Mutable."""

    __slots__ = ("_against", "_checked", "healthy")

    def __init__(self) -> None:
        self.healthy = True
        self._checked = False
        self._against = 0
        """Checks in a row that contradict `healthy`."""

    def observe(self, good: bool, rules: HealthCheck) -> bool:
        """Take the result of one check; returns whether `healthy` has changed."""
        first, self._checked = not self._checked, True
        if good is self.healthy:
            self._against = 0
            return False
        self._against += 1
        enough = rules.healthy_threshold if good else rules.unhealthy_threshold
        if not first and self._against < enough:
            return False
        self.healthy = good
        self._against = 0
        return True
