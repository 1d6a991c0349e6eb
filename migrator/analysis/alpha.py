"""How one alpha is divided among all that is judged in a window. Pure.

Bonferroni's correction: the parts add up to `ALPHA`, whatever the metrics have to do with one
another. Errors have the greatest part, since they are few and hurt most. Metrics of users' own, if
a plan has some, get theirs from errors and share it equally; latency keeps what it has.
"""

from dataclasses import dataclass
from math import log
from typing import Final

from migrator.plan.model import Analysis, LatencyLimits

ALPHA: Final = 0.02
"""Probability that a service exactly at its limits is ever failed by them in one window."""
_LATENCY: Final = ALPHA / 4
_METRICS: Final = ALPHA / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuted:
    """The evidence, a logarithm, from which on each limit counts as broken."""

    errors: float
    quantile: float
    """Each one of latency."""
    metric: float
    """Each proportion of users' own; infinite if there is none."""


def refuted_at(limits: Analysis) -> Refuted:
    """What is asked for where `limits` are judged."""
    proportions = sum(metric.is_proportion for metric in limits.metrics)
    metrics = _METRICS if proportions else 0.0
    return Refuted(
        errors=-log(ALPHA - _LATENCY - metrics),
        quantile=-log(_LATENCY / len(LatencyLimits().by_quantile())),
        metric=-log(metrics / proportions) if proportions else float("inf"),
    )
