"""Is the new origin as good as the old one? pass, fail, or not enough data, with the evidence.

Pure. Called by the controller at each tick with a capability's window; the rollout engine acts on
the answer. Three rules, in this order:

1. *Too few*: below `MIN_JUDGED` requests nothing is ever failed, below `needed` nothing is passed.
2. *Errors*: the new error rate exceeds the old one by more than the limit, beyond chance
   (sequential.py).
3. *Latency*: p50, p95 or p99 of the new origin exceeds what the old one's allows (`max_ratio` times
   it *and* `min_increase` above it), beyond chance (quantile.py).

Beyond chance: a service exactly at its limits is ever failed in one window with probability `ALPHA`
at most, over all looks and all of rules 2 and 3 together. Errors get three quarters of it, the
quantiles equal parts of the rest (Bonferroni): that holds whatever metrics have to do with one
another, and the evidence names the limit that was broken. Worse than a limit but within chance is
"not enough data": the rollout holds until more requests settle it. A failure must be the answer for
`CONFIRM` seconds. A service that is plainly broken is switched off before, see pulse.py.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from typing import Final

from migrator.analysis.quantile import log_evidence_of_slowdown
from migrator.analysis.sample import NOTHING, Histogram, Sample
from migrator.analysis.sequential import Rate, log_evidence_of_increase, requests_to_see
from migrator.analysis.watch import Watch
from migrator.plan.model import Analysis, LatencyLimit, LatencyLimits
from migrator.plan.units import FULL_SHARE, format_duration, format_share

MIN_JUDGED: Final = 20
"""Requests at the new origin below which nothing is judged."""
MIN_BASELINE: Final = 2000
"""Requests at the old origin in the window; with fewer, its earlier figures count too, unless it
does worse now than then."""
CONFIRM: Final = 0.5
"""Seconds for which a failure must be seen at every look: a service that breaks down has errors
before it is known to be broken."""
ALPHA: Final = 0.02
"""Probability that a service exactly at its limits is ever failed by them in one window."""
_DRIFT: Final = log(2)
"""Evidence of the old origin against its own past that makes the past no baseline any more."""
_ERRORS_REFUTED: Final = log(4 / 3 / ALPHA)
_LATENCY_REFUTED: Final = log(4 * len(LatencyLimits().by_quantile()) / ALPHA)


class Outcome(StrEnum):
    PASSED = "pass"
    FAILED = "fail"
    NOT_ENOUGH_DATA = "not_enough_data"


_WORST_FIRST: Final = (Outcome.FAILED, Outcome.NOT_ENOUGH_DATA, Outcome.PASSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`evidence` is a sentence with the numbers.

    `missing`: about how many more requests at the new origin would show that it is off by twice
    what the limit allows; 0 if those that are there would have, or none would.
    """

    outcome: Outcome
    evidence: str
    missing: int = 0


def judge(
    watch: Watch, limits: Analysis, *, history: Sample = NOTHING, needed: int = MIN_JUDGED
) -> Verdict:
    """The verdict on the window so far.

    `history`: the old origin's figures from earlier windows of the same rollout, for when few are
    there. `needed`: least requests at the new origin for a pass.
    """
    new, old = watch.new, watch.old
    if new.requests < min(needed, MIN_JUDGED):
        return _open(f"{new.requests} of {needed} requests at the service so far")
    past = history if old.requests < MIN_BASELINE else NOTHING
    found = list(_metrics(new, old, past, limits))
    worst = min(found, key=lambda verdict: _WORST_FIRST.index(verdict.outcome))
    # Few requests can look bad by chance: only a pass may be given on an explicit small number.
    if worst.outcome is Outcome.FAILED and new.requests < MIN_JUDGED:
        return replace(worst, outcome=Outcome.NOT_ENOUGH_DATA)
    if worst.outcome is Outcome.PASSED and new.requests < needed:
        return _open(f"{new.requests} of {needed} requests at the service so far")
    return worst


def confirm(watch: Watch, verdict: Verdict) -> tuple[Watch, Verdict]:
    """Keep a failure back until it was seen at every look for `CONFIRM` seconds."""
    if verdict.outcome is not Outcome.FAILED:
        return watch if watch.suspected is None else replace(watch, suspected=None), verdict
    since = watch.at if watch.suspected is None else watch.suspected
    watch = replace(watch, suspected=since)
    if watch.at - since >= CONFIRM:
        return watch, verdict
    return watch, _open(verdict.evidence)


def _open(evidence: str, missing: int = 0) -> Verdict:
    return Verdict(outcome=Outcome.NOT_ENOUGH_DATA, evidence=evidence, missing=missing)


def _metrics(new: Sample, old: Sample, past: Sample, limits: Analysis) -> Iterator[Verdict]:
    """One verdict on errors, one on each quantile of latency."""
    yield _errors(new, old, past, limits.error_rate.max_increase / FULL_SHARE)
    latencies = new.latency, old.latency, past.latency
    if not new.latency.total or not (old.latency.total or past.latency.total):
        return
    by_quantile = limits.latency.by_quantile()
    seen = [each.quantiles(by_quantile) for each in latencies if each.total]
    for (q, limit), (now, *known) in zip(by_quantile.items(), zip(*seen, strict=True), strict=True):
        if now > _allowed(min(known), limit):
            yield _latency(*latencies, q, limit)


def _errors(new: Sample, old: Sample, past: Sample, margin: float) -> Verdict:
    longer, baseline = None, old
    if past.requests and not _worse_now(old, past):
        longer = baseline = past + old
    rate = baseline.error_rate
    text = f"new {_rate(new)}, old {_rate(baseline)}"
    if new.error_rate <= rate + margin:
        return Verdict(outcome=Outcome.PASSED, evidence=text)
    text += f"; limit +{format_share(round(margin * FULL_SHARE))}"
    evidence = log_evidence_of_increase(
        _errors_of(new),
        _errors_of(old) if baseline.requests else None,
        margin,
        _errors_of(longer) if longer else None,
        threshold=_ERRORS_REFUTED,
    )
    if evidence >= _ERRORS_REFUTED and not (longer and _shared(new, old)):
        return Verdict(outcome=Outcome.FAILED, evidence=text)
    ratio = baseline.requests / new.requests
    return _chance(
        text, requests_to_see(rate, 2 * margin, margin, _ERRORS_REFUTED, ratio), new.requests
    )


def _worse_now(old: Sample, past: Sample) -> bool:
    """Whether the old origin fails more often than it used to."""
    evidence = log_evidence_of_increase(_errors_of(old), _errors_of(past), 0.0, threshold=_DRIFT)
    return evidence >= _DRIFT


def _shared(new: Sample, old: Sample) -> bool:
    """Whether the window's own figures, if there are some, know of no difference at all."""
    if old.requests < MIN_JUDGED:
        return False
    return log_evidence_of_increase(_errors_of(new), _errors_of(old), 0.0) <= 0


def _slower_now(old: Histogram, past: Histogram, q: float) -> bool:
    """Whether the old origin is slower than it used to be."""
    return log_evidence_of_slowdown(old, past, q, _the_same, threshold=_DRIFT) >= _DRIFT


def _shared_slowness(new: Histogram, old: Histogram, q: float) -> bool:
    """`_shared`, for a quantile of latency."""
    return old.total >= MIN_JUDGED and log_evidence_of_slowdown(new, old, q, _the_same) <= 0


def _latency(
    new: Histogram, old: Histogram, past: Histogram, q: float, limit: LatencyLimit
) -> Verdict:
    def allowed(quantile: float) -> float:
        return _allowed(quantile, limit)

    longer, baseline = None, old
    if past.total and not _slower_now(old, past, q):
        longer = baseline = past + old
    (was,), (now,) = baseline.quantiles((q,)), new.quantiles((q,))
    text = (
        f"p{q * 100:g} new {now:.0f} ms, old {was:.0f} ms; "
        f"limit ×{limit.max_ratio:g} and +{format_duration(limit.min_increase)}"
    )
    evidence = log_evidence_of_slowdown(new, old, q, allowed, longer, threshold=_LATENCY_REFUTED)
    if evidence >= _LATENCY_REFUTED and not (longer and _shared_slowness(new, old, q)):
        return Verdict(outcome=Outcome.FAILED, evidence=text)
    # A quantile of too few requests is only the slowest of them.
    if now <= allowed(was) or min(new.total, baseline.total) * (1 - q) < 1:
        return Verdict(outcome=Outcome.PASSED, evidence=text)
    # A service that is off by twice the limit, if its latencies are the old ones made longer.
    edge = min(was / limit.max_ratio, was - limit.min_increase * 1000)
    slow = baseline.tails()[bisect_left(baseline.bounds_ms, edge)] / baseline.total
    ratio = baseline.total / new.total
    return _chance(
        text, requests_to_see(1 - q, slow - (1 - q), 0.0, _LATENCY_REFUTED, ratio), new.total
    )


def _allowed(quantile_ms: float, limit: LatencyLimit) -> float:
    return max(quantile_ms * limit.max_ratio, quantile_ms + limit.min_increase * 1000)


def _chance(text: str, needed: int, there: int) -> Verdict:
    text += "; could still be chance"
    missing = max(0, needed - there)
    if missing:
        text += f", about {missing:,} more requests would tell"
    return _open(text, missing)


def _the_same(quantile: float) -> float:
    return quantile


def _errors_of(sample: Sample) -> Rate:
    return Rate(sample.errors, sample.requests)


def _rate(sample: Sample) -> str:
    if not sample.requests:
        return "no requests"
    return f"{sample.errors}/{sample.requests} = {sample.error_rate:.1%} errors"
