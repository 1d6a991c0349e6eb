"""Does the new side differ from the old one more than the old one differs from itself?

Pure. The idea is Diffy's: a value that the monolith gives differently when it is asked twice (a
time, a random id, the order of a set) says nothing about the service. How often a path differs
between old and new, and between old and old, are two binomial rates; Wilson's score interval says
between which bounds each lies with 95 % probability. It is used and not the normal one because
rates near 0 from few comparisons are the usual case here. A look at a moment, not a test to be
repeated until it fails: the controller's gate has its own, see docs/parity.md.
"""

from enum import StrEnum
from math import sqrt
from typing import Final

_Z: Final = 1.959963984540054
"""Of the standard normal distribution: 95 % lie within."""


class Class(StrEnum):
    """What a group of differences is."""

    REAL = "real"
    """More frequent than noise explains."""
    NOISE = "noise"
    """The monolith differs from itself there, too, and nothing speaks for more."""
    OPEN = "open"
    """The monolith was not asked twice often enough to tell."""


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Bounds of the rate of which `hits` of `trials` were seen (Wilson 1927); 0 and 1 of none."""
    if trials <= 0:
        return 0.0, 1.0
    rate = hits / trials
    square = _Z * _Z / trials
    middle = rate + square / 2
    spread = _Z * sqrt(rate * (1 - rate) / trials + square / (4 * trials))
    low = 0.0 if hits == 0 else (middle - spread) / (1 + square)
    high = 1.0 if hits == trials else (middle + spread) / (1 + square)
    return low, high


def classify(count: int, compared: int, noise: int, repeated: int) -> Class:
    """`count` of `compared` pairs of old and new differ in a path; `noise` of `repeated` pairs of
    old and old do."""
    if wilson(count, compared)[0] > wilson(noise, repeated)[1]:
        return Class.REAL
    return Class.NOISE if noise else Class.OPEN
