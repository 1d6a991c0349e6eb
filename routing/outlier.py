"""Endpoints that fail one request after another are ejected for a while.

Pure: time comes in. Envoy's outlier detection with the consecutive-failure detector, but with a
time that doubles, so that an endpoint that stays broken is asked less and less.
"""

from collections.abc import Sequence
from math import inf

from routing.config import OutlierDetection


class Ejection:
    """What is held against one endpoint. Mutable."""

    __slots__ = ("count", "seconds", "until")

    def __init__(self) -> None:
        self.until = -inf
        """Monotonic time at which it gets requests again, or got them."""
        self.seconds = 0.0
        """Length of the last ejection."""
        self.count = 0
        """Ejections since the start."""

    def active(self, now: float) -> bool:
        return now < self.until


def eject(
    ejection: Ejection, group: Sequence[Ejection], rules: OutlierDetection, now: float
) -> bool:
    """Eject the endpoint of `ejection`, one of `group`, unless too many are out already.

    Returns whether it was. An endpoint that has been back for less time than it was out is ejected
    for twice that time, up to the longest; any other one for the base time.
    """
    if ejection.active(now):
        return False
    out = sum(1 for each in group if each.active(now))
    if (out + 1) * 100 > rules.max_ejection_percent * len(group):
        return False
    again = now - ejection.until < ejection.seconds
    ejection.seconds = (
        min(ejection.seconds * 2, rules.max_ejection_time) if again else rules.base_ejection_time
    )
    ejection.until = now + ejection.seconds
    ejection.count += 1
    return True
