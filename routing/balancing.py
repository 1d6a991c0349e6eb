"""Which endpoint gets the next request, and which ones are in question.

Pure: randomness comes in as a function. Of two endpoints taken at random the one with fewer
requests in flight gets the request: nearly as even as looking at all of them, without the herd that
runs to the least loaded one (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing",
2001).
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class Candidate(Protocol):
    @property
    def load(self) -> int:
        """Requests in flight."""
        ...

    @property
    def warmth(self) -> float:
        """The part of its full share that it takes, above 0 and up to 1."""
        ...


C = TypeVar("C", bound=Candidate)


def least_request(candidates: Sequence[C], random: Callable[[], float]) -> C:
    """One of `candidates`, of which there is at least one. `random` gives numbers below 1.

    One that warms up steps back from a draw as often as it is cold, so that its share grows with
    its warmth whatever the load: by load alone it would get nothing while the others are idle.
    """
    count = len(candidates)
    if count == 1:
        return candidates[0]
    first = int(random() * count)
    second = int(random() * (count - 1))
    one, other = candidates[first], candidates[second if second < first else second + 1]
    colder, warmer = (one, other) if one.warmth < other.warmth else (other, one)
    if colder.warmth < warmer.warmth and random() >= colder.warmth / warmer.warmth:
        return warmer
    return one if one.load <= other.load else other


def in_use(endpoints: Sequence[C], usable: Sequence[C], panic_percent: float) -> Sequence[C]:
    """`usable`, unless that is less than `panic_percent` of `endpoints`, or none: then all.

    So few would fall under the load of all. Envoy's panic threshold.
    """
    if usable and len(usable) * 100 >= panic_percent * len(endpoints):
        return usable
    return endpoints
