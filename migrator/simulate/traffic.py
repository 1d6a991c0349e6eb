"""Requests of one side for a while: a Poisson process with log-normal latencies; and what comparing
both sides finds. Pure."""

from functools import lru_cache
from itertools import pairwise
from math import erf, exp, log, sqrt
from random import Random
from typing import Final

from migrator.analysis.sample import Histogram, Sample
from migrator.analysis.stats import Pairs

BOUNDS_MS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0)
SPREAD: Final = 0.5
"""Standard deviation of the logarithm of latencies."""
_LARGE: Final = 50.0


def poisson(random: Random, mean: float) -> int:
    """A Poisson variate; above a mean of 50 by the normal approximation."""
    if mean > _LARGE:
        return max(0, round(random.gauss(mean, sqrt(mean))))
    limit, count, product = exp(-mean), 0, random.random()
    while product > limit:
        count += 1
        product *= random.random()
    return count


def served(random: Random, mean: float, error_rate: float, median_ms: float) -> Sample:
    """What a side did with `mean` requests on average."""
    counts = tuple(poisson(random, mean * part) for part in _parts(median_ms))
    requests = sum(counts)
    errors = requests if error_rate >= 1 else min(requests, poisson(random, requests * error_rate))
    latency = Histogram(bounds_ms=BOUNDS_MS, counts=counts)
    return Sample(requests=requests, errors=errors, latency=latency)


def compared(random: Random, reads: int, wrong: float) -> Pairs:
    """What is counted of `reads` that both sides answered, a share `wrong` of them differently."""
    different = reads if wrong >= 1 else min(reads, poisson(random, reads * wrong))
    most = "body (value)" if different else ""
    return Pairs(compared=reads, different=different, most=most)


@lru_cache(maxsize=64)
def _parts(median_ms: float) -> tuple[float, ...]:
    """The share of each bucket."""
    below = [(1 + erf(log(b / median_ms) / (SPREAD * sqrt(2)))) / 2 for b in BOUNDS_MS]
    edges = [0.0, *below, 1.0]
    return tuple(high - low for low, high in pairwise(edges))
