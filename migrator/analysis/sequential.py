"""Evidence about rates that stays valid however often one looks.

Pure arithmetic. The controller looks twice a second, so a bound made for one look (Wilson, a
t-test) would sooner or later cry wolf. Here each rate p has the Beta(1/2, 1/2) mixture likelihood
ratio

    M(p) = B(s + 1/2, f + 1/2) / B(1/2, 1/2) / (p^s (1 - p)^f)     for s of s + f requests

which is a non-negative martingale with mean 1 when p is the truth, so by Ville's inequality it
ever exceeds 1/alpha with probability at most alpha (Robbins 1970). Products of two such
martingales of independent origins are one again: that gives the evidence about a difference.
"""

from math import inf, lgamma, log

_HALVINGS = 40
_GOLDEN = 0.6180339887498949


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


_PRIOR = _log_beta(0.5, 0.5)


class Rate:
    """`hits` of `trials`, ready to be asked how much speaks against a supposed true rate."""

    __slots__ = ("_mixture", "hits", "misses")

    def __init__(self, hits: int, trials: int) -> None:
        if not 0 <= hits <= trials:
            raise ValueError(f"{hits} of {trials} is no rate")
        self.hits = hits
        self.misses = trials - hits
        self._mixture = _log_beta(hits + 0.5, self.misses + 0.5) - _PRIOR

    @property
    def observed(self) -> float:
        trials = self.hits + self.misses
        return self.hits / trials if trials else 0.0

    def log_evidence(self, p: float) -> float:
        """Logarithm of M(p): how much speaks against the true rate being `p`."""
        if (p <= 0 and self.hits) or (p >= 1 and self.misses):
            return inf
        likelihood = (self.hits * log(p) if self.hits else 0.0) + (
            self.misses * log(1 - p) if self.misses else 0.0
        )
        return self._mixture - likelihood


def log_evidence_of_increase(new: Rate, old: Rate | None, margin: float) -> float:
    """How much speaks against `new <= old + margin`; above log(1/alpha) that is refuted.

    Without `old` the old rate is taken to be 0. 0 when the observed rates do not even point there.
    """
    if old is None:
        return new.log_evidence(min(margin, 1.0)) if new.observed > margin else 0.0
    if new.observed <= old.observed + margin:
        return 0.0

    def against(p: float) -> float:
        return new.log_evidence(p + margin) + old.log_evidence(p)

    # Each term is convex in p with its least value at the observed rate, so the least of the sum
    # lies between the two; golden-section search finds it.
    low, high = old.observed, min(new.observed - margin, 1.0)
    for _ in range(_HALVINGS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if against(left) <= against(right):
            high = right
        else:
            low = left
    return min(against(low), against(high), against((low + high) / 2))


def lower_bound_of_increase(new: Rate, old: Rate | None, alpha: float) -> float:
    """The largest increase of the rate that is refuted as an upper limit; 0 when none is.

    With probability 1 - alpha it never exceeds the true increase, over all looks together.
    """
    threshold = log(1 / alpha)
    if log_evidence_of_increase(new, old, 0.0) < threshold:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        if log_evidence_of_increase(new, old, middle) >= threshold:
            low = middle
        else:
            high = middle
    return low
