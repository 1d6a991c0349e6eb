"""Is one proportion greater than another by more than a margin, beyond chance? Pure.

Called for error rates (verdict.py) and for proportions of users' own (metric.py). Owns when the old
origin's earlier figures count: they do until they contradict the present ones, and they convict
nobody while the window's own figures know of no difference at all.
"""

from dataclasses import dataclass
from math import log
from typing import Final

from migrator.analysis.sequential import TYPICAL, Rate, log_evidence_of_increase, requests_to_see

MIN_JUDGED: Final = 20
"""Trials at the new origin below which nothing is judged."""
MIN_BASELINE: Final = 2000
"""Trials at the old origin in the window; with fewer, its earlier figures count too, unless it
does worse now than then."""
DRIFT: Final = log(2)
"""Evidence of the old origin against its own past that makes the past no baseline any more."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`count` of `total` trials."""

    count: int = 0
    total: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.count + other.count, self.total + other.total)

    @property
    def share(self) -> float:
        """0..1; 0 of nothing."""
        return self.count / self.total if self.total else 0.0

    @property
    def others(self) -> "Counts":
        """The trials that were not counted."""
        return Counts(self.total - self.count, self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`missing`: about how many more trials at the new origin would show that it is off by twice
    the margin; 0 if those that are there would have, or none would."""

    baseline: Counts
    """What the new origin is compared with: the old one's window, with its past if that counts."""
    within: bool
    """The new origin's observed share is not above the baseline's by more than the margin."""
    refuted: bool
    """That it truly is not, is refuted beyond chance."""
    missing: int = 0


def compare(
    new: Counts,
    old: Counts,
    past: Counts,
    margin: float,
    *,
    refuted_at: float,
    expected: float = TYPICAL,
) -> Comparison:
    """Hold `new` against `old + margin`.

    `past`: the old origin's earlier figures, none to leave them out. `refuted_at`: evidence, a
    logarithm. `expected`: mean of the prior, see `sequential.Rate`.
    """

    def rate(counts: Counts) -> Rate:
        return Rate(counts.count, counts.total, expected)

    longer, baseline = None, old
    if past.total and not _worse_now(rate(old), rate(past)):
        longer = baseline = past + old
    if new.share <= baseline.share + margin:
        return Comparison(baseline=baseline, within=True, refuted=False)
    evidence = log_evidence_of_increase(
        rate(new),
        rate(old) if baseline.total else None,
        margin,
        rate(longer) if longer else None,
        threshold=refuted_at,
    )
    if evidence >= refuted_at and not (longer and _shared(new, old, rate(new), rate(old))):
        return Comparison(baseline=baseline, within=False, refuted=True)
    ratio = baseline.total / new.total
    needed = requests_to_see(baseline.share, 2 * margin, margin, refuted_at, ratio)
    return Comparison(
        baseline=baseline, within=False, refuted=False, missing=max(0, needed - new.total)
    )


def _worse_now(old: Rate, past: Rate) -> bool:
    """Whether the old origin does worse than it used to."""
    return log_evidence_of_increase(old, past, 0.0, threshold=DRIFT) >= DRIFT


def _shared(new: Counts, old: Counts, new_rate: Rate, old_rate: Rate) -> bool:
    """Whether the window's own figures, if there are some, know of no difference at all."""
    return old.total >= MIN_JUDGED and log_evidence_of_increase(new_rate, old_rate, 0.0) <= 0
