"""Evidence about rates that stays valid however often one looks.

Pure arithmetic. The controller looks twice a second, so a bound made for one look (Wilson, a
t-test) would sooner or later cry wolf. Here each supposed rate p is bet against with the
Beta(1, b) mixture likelihood ratio

    M(p) = B(s + 1, f + b) / B(1, b) / (p^s (1 - p)^f)             for s of s + f requests

which is a non-negative martingale with mean 1 when p is the truth, so by Ville's inequality it
ever exceeds 1/alpha with probability at most alpha. Products of two such martingales of independent
origins are one again, and so are averages of bets on the same data: that gives the evidence about a
difference, with the old origin's true rate as nuisance parameter. `docs/analysis.md` derives it.

Ville 1939, "Étude critique de la notion de collectif"; Robbins 1970, "Statistical methods related
to the law of the iterated logarithm"; Ramdas, Grünwald, Vovk, Shafer 2023, "Game-theoretic
statistics and safe anytime-valid inference".
"""

from math import ceil, exp, inf, lgamma, log
from typing import Final

_STEPS: Final = 24
_GOLDEN: Final = 0.6180339887498949
TYPICAL: Final = 0.05
"""Mean of the prior of an error rate."""


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


class Rate:
    """`hits` of `trials`, ready to be asked how much speaks against a supposed true rate.

    `expected`: mean of the prior, 1 / (1 + b): the test is sharpest for rates near it, and none is
    ruled out. Evidence against just that rate never falls as hits go further away from it.
    """

    __slots__ = ("_mixture", "hits", "misses")

    def __init__(self, hits: int, trials: int, expected: float = TYPICAL) -> None:
        if not 0 <= hits <= trials:
            raise ValueError(f"{hits} of {trials} is no rate")
        self.hits = hits
        self.misses = trials - hits
        b = (1 - expected) / expected
        self._mixture = _log_beta(hits + 1, self.misses + b) + log(b)  # B(1, b) is 1 / b

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


def stake(bets: list[float], part: float) -> float:
    """Logarithm of what is left of a stake of 1; `bets` are the logarithms of what each multiplies
    its `part` of the stake by.

    Half of the stake is never bet. It stays, and so limits the price of a large sample, whose M
    falls far below 1 near the truth. A bet that is left out has lost its part, which makes the
    evidence only smaller, so it may be left out at any time.
    """
    greatest = max(0.0, *bets) if bets else 0.0
    if greatest == inf:
        return inf
    won = sum(exp(bet - greatest) for bet in bets)
    return greatest + log(0.5 * exp(-greatest) + part * won)


def log_evidence_of_increase(
    new: Rate,
    old: Rate | None,
    margin: float,
    longer: Rate | None = None,
    *,
    threshold: float = -inf,
) -> float:
    """How much speaks against `new <= old + margin`; above log(1/alpha) that is refuted.

    `longer`: the old origin with earlier figures included. Without any `old` its rate is taken to
    be 0. 0 when the observed rates do not even point there. What is below `threshold` may be given
    too great, but still below it; that takes less time.
    """
    if old is None:
        return new.log_evidence(min(margin, 1.0)) if new.observed > margin else 0.0
    known = [old] if longer is None else [old, longer]
    rates = [rate.observed for rate in known]
    if new.observed <= min(rates) + margin:
        return 0.0

    def against(p: float) -> float:
        bets = [rate.log_evidence(p) for rate in known]
        # Against the new rate being p + margin or less: the least M of all these.
        return new.log_evidence(min(new.observed, p + margin)) + stake(bets, 0.25)

    # Convex in p: the new origin's part falls until its observed rate, the bets on the old one are
    # convex around their observed rates, and so is the logarithm of a sum of their exponentials. So
    # the least lies in between, and golden-section search finds it.
    low, high = min(rates), max(*rates, min(new.observed - margin, 1.0))
    least = min(against(low), against(high))
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = against(left), against(right)
    for _ in range(_STEPS):
        if min(least, at_left, at_right) < threshold:
            break
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = against(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = against(right)
    return min(least, at_left, at_right)


def requests_to_see(
    rate: float, increase: float, margin: float, threshold: float, ratio: float = 1.0
) -> int:
    """About how many requests at the new origin refute `new <= old + margin` if the old rate is
    `rate` and the new one is `increase` above it; 0 if nothing would.

    `threshold`: the evidence that is asked for, a logarithm. `ratio`: requests at the old origin
    for each at the new one. From the expected evidence of one request, a sum of Kullback-Leibler
    divergences from the likeliest pair of rates that keeps the limit, and what the priors cost.
    """
    if increase <= margin or rate + increase >= 1:
        return 0
    supposed = rate + (increase - margin) / (1 + ratio)
    gain = _divergence(rate + increase, supposed + margin) + ratio * _divergence(rate, supposed)
    return ceil((threshold + _PRICE) / gain) if gain > 0 else 0


_PRICE: Final = 3.0
"""What the priors cost in evidence, roughly, over the sizes of samples that matter."""


def _divergence(p: float, q: float) -> float:
    """Kullback-Leibler divergence of two Bernoulli distributions, in nats."""
    return (p * log(p / q) if p > 0 else 0.0) + (1 - p) * log((1 - p) / (1 - q))
