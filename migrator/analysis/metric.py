"""Metrics of users' own: what their readings say of the new origin. Pure.

Called by the controller at each look with what metrics' sources have said so far; never waits for
them. Two kinds, each with an outcome of its own for "not enough data yet":

- A *proportion* (`count` of `total`) is held against the old origin's by the test of error rates
  (proportion.py), for it stays valid however often one looks. The limit is the least effect that
  matters; alpha.py has its part of alpha.
- A *value* (a gauge, a ratio of anything) comes without the number of trials behind it, so nothing
  can be said about chance. It fails when it breaks a limit at `consecutive` readings in a row and
  passes when it keeps all of them at as many. That is a rule of thumb and no test.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final, NamedTuple

from migrator.analysis.counters import Counted, Tally
from migrator.analysis.proportion import MIN_BASELINE, MIN_JUDGED, Counts, compare
from migrator.analysis.verdict import Outcome, Verdict, chance, undecided
from migrator.plan.model import Metric
from migrator.plan.units import FULL_SHARE, format_share

NO_COUNTS: Final = Counts()
_UNKNOWN: Final = 0.5
"""Mean of the prior: a uniform one, for nothing is known about the proportion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """One reading of a proportion."""

    old: Counted
    new: Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """One reading of a value; None: it has none now."""

    old: float | None
    new: float | None


Reading = Counting | Values


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricWindow:
    """What the readings of one metric since a step began add up to."""

    metric: Metric
    old: Tally = field(default_factory=Tally)
    new: Tally = field(default_factory=Tally)
    values: Values | None = None
    """The newest."""
    broken: int = 0
    """Readings in a row, up to the newest, at which a value broke a limit."""
    kept: int = 0
    """The same, at which it kept all of them."""

    def read(self, reading: Reading) -> "MetricWindow":
        """With one more reading."""
        if isinstance(reading, Counting):
            return replace(self, old=self.old.read(reading.old), new=self.new.read(reading.new))
        bounds = list(_bounds(self.metric, reading))
        broken = any(bound.broken for bound in bounds)
        kept = not broken and all(bound.value is not None for bound in bounds)
        return replace(
            self,
            values=reading,
            broken=self.broken + 1 if broken else 0,
            kept=self.kept + 1 if kept else 0,
        )

    @property
    def counted(self) -> Counts:
        """The old origin's, which later windows of the same rollout may be compared with."""
        return self.old.counts

    def to_json(self) -> dict[str, Any]:
        """Both origins' figures, for people."""
        if self.metric.is_proportion:
            old, new = self.old.counts, self.new.counts
            return {
                "old": {"count": old.count, "total": old.total},
                "new": {"count": new.count, "total": new.total},
            }
        values = self.values or Values(old=None, new=None)
        return {"old": values.old, "new": values.new}


def judge_metric(window: MetricWindow, *, past: Counts = NO_COUNTS, refuted_at: float) -> Verdict:
    """The verdict on one metric.

    `past`: the old origin's counts in earlier windows. `refuted_at`: evidence, a logarithm, from
    which on a proportion's limit counts as broken.
    """
    if window.metric.is_proportion:
        return _proportion(window.metric, window.new.counts, window.old.counts, past, refuted_at)
    return _value(window)


def _proportion(
    metric: Metric, new: Counts, old: Counts, past: Counts, refuted_at: float
) -> Verdict:
    limit, sign = metric.max_increase, "+"
    sides = (new, old, past if old.total < MIN_BASELINE else NO_COUNTS)
    if limit is None:
        limit, sign = metric.max_decrease or FULL_SHARE, "−"
        sides = (new.others, old.others, sides[2].others)
    found = compare(*sides, limit / FULL_SHARE, refuted_at=refuted_at, expected=_UNKNOWN)
    baseline = found.baseline.others if sign == "−" else found.baseline
    text = f"{metric.name}: new {_told(new)}, old {_told(baseline)}"
    if min(new.total, baseline.total) < MIN_JUDGED:
        return undecided(f"{text}; {metric.min_total} of each are needed")
    if not found.within:
        text += f"; limit {sign}{format_share(limit)}"
        if found.refuted:
            return Verdict(outcome=Outcome.FAILED, evidence=text)
        return chance(text, found.missing, "trials")
    if min(new.total, baseline.total) < metric.min_total:
        return undecided(f"{text}; {metric.min_total} of each are needed")
    return Verdict(outcome=Outcome.PASSED, evidence=text)


def _value(window: MetricWindow) -> Verdict:
    metric, values = window.metric, window.values
    if values is None:
        return undecided(f"{metric.name}: no reading yet")
    text = f"{metric.name}: new {_number(values.new)}"
    if metric.needs_old:
        text += f", old {_number(values.old)}"
    if not window.broken and not window.kept:
        return undecided(f"{text}; a value is needed{' of each' if metric.needs_old else ''}")
    if window.kept:
        if window.kept >= metric.consecutive:
            return Verdict(outcome=Outcome.PASSED, evidence=text)
        return undecided(
            f"{text}; within its limits at {window.kept} of {metric.consecutive} readings"
        )
    limits = (bound.name for bound in _bounds(metric, values) if bound.broken)
    text += f"; limit {', '.join(limits)}"
    if window.broken >= metric.consecutive:
        return Verdict(
            outcome=Outcome.FAILED,
            evidence=f"{text}, at {window.broken} readings in a row",
        )
    return undecided(f"{text}, at {window.broken} of {metric.consecutive} readings")


class _Bound(NamedTuple):
    """`name`: the limit in words."""

    value: float | None
    least: float
    most: float
    name: str

    @property
    def broken(self) -> bool:
        return self.value is not None and not self.least <= self.value <= self.most


def _bounds(metric: Metric, values: Values) -> Iterator[_Bound]:
    ratio = None
    if values.new is not None and values.old is not None and values.old > 0:
        ratio = values.new / values.old
    if metric.max is not None:
        yield _Bound(values.new, -inf, metric.max, f"max {metric.max:g}")
    if metric.min is not None:
        yield _Bound(values.new, metric.min, inf, f"min {metric.min:g}")
    if metric.max_ratio is not None:
        yield _Bound(ratio, -inf, metric.max_ratio, f"max ×{metric.max_ratio:g}")
    if metric.min_ratio is not None:
        yield _Bound(ratio, metric.min_ratio, inf, f"min ×{metric.min_ratio:g}")


def _told(counts: Counts) -> str:
    return f"{counts.count}/{counts.total} = {counts.share:.1%}" if counts.total else "none"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
