"""Is the new origin as good as the old one? pass, fail, or not enough data, with the evidence.

Pure. Called by the controller at each tick with a capability's window; the rollout engine acts on
the answer. Three rules, in this order:

1. *Too few*: below `MIN_JUDGED` requests nothing is ever failed, below `needed` nothing is passed.
2. *Errors*: the new error rate exceeds the old one by more than the limit, beyond chance
   (sequential.py).
3. *Latency*: p50, p95 or p99 of the new origin exceeds what the old one's allows (`max_ratio` times
   it *and* `min_increase` above it), beyond chance (quantile.py).

Beyond chance: a service exactly at its limits is ever failed in one window with probability `ALPHA`
at most, over all looks and all of rules 2 and 3 together; alpha.py divides it, and metric.py has
what users measure themselves. The evidence names the limit that was broken. Worse than a limit but
within chance is "not enough data": the rollout holds until more requests settle it. A failure must
be the answer for `CONFIRM` seconds. A service that is plainly broken is switched off before, see
pulse.py.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from migrator.analysis.alpha import Refuted, refuted_at
from migrator.analysis.proportion import DRIFT, MIN_BASELINE, MIN_JUDGED, Counts, compare
from migrator.analysis.quantile import log_evidence_of_slowdown
from migrator.analysis.sample import NOTHING, Histogram, Sample
from migrator.analysis.sequential import requests_to_see
from migrator.analysis.watch import Watch
from migrator.plan.model import Analysis, LatencyLimit
from migrator.plan.units import FULL_SHARE, format_duration, format_share

CONFIRM: Final = 0.5
"""Seconds for which a failure must be seen at every look: a service that breaks down has errors
before it is known to be broken."""


class Outcome(StrEnum):
    PASSED = "pass"
    FAILED = "fail"
    NOT_ENOUGH_DATA = "not_enough_data"


WORST_FIRST: Final = (Outcome.FAILED, Outcome.NOT_ENOUGH_DATA, Outcome.PASSED)


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
        return undecided(f"{new.requests} of {needed} requests at the service so far")
    past = history if old.requests < MIN_BASELINE else NOTHING
    found = list(_metrics(new, old, past, limits))
    worst = min(found, key=lambda verdict: WORST_FIRST.index(verdict.outcome))
    # Few requests can look bad by chance: only a pass may be given on an explicit small number.
    if worst.outcome is Outcome.FAILED and new.requests < MIN_JUDGED:
        return replace(worst, outcome=Outcome.NOT_ENOUGH_DATA)
    if worst.outcome is Outcome.PASSED and new.requests < needed:
        return undecided(f"{new.requests} of {needed} requests at the service so far")
    return worst


def confirm(watch: Watch, verdict: Verdict) -> tuple[Watch, Verdict]:
    """Keep a failure back until it was seen at every look for `CONFIRM` seconds."""
    if verdict.outcome is not Outcome.FAILED:
        return watch if watch.suspected is None else replace(watch, suspected=None), verdict
    since = watch.at if watch.suspected is None else watch.suspected
    watch = replace(watch, suspected=since)
    if watch.at - since >= CONFIRM:
        return watch, verdict
    return watch, undecided(verdict.evidence)


def undecided(evidence: str, missing: int = 0) -> Verdict:
    """Not enough data yet."""
    return Verdict(outcome=Outcome.NOT_ENOUGH_DATA, evidence=evidence, missing=missing)


def _metrics(new: Sample, old: Sample, past: Sample, limits: Analysis) -> Iterator[Verdict]:
    """One verdict on errors, one on each quantile of latency."""
    refuted = refuted_at(limits)
    yield _errors(new, old, past, limits.error_rate.max_increase / FULL_SHARE, refuted)
    latencies = new.latency, old.latency, past.latency
    if not new.latency.total or not (old.latency.total or past.latency.total):
        return
    by_quantile = limits.latency.by_quantile()
    seen = [each.quantiles(by_quantile) for each in latencies if each.total]
    for (q, limit), (now, *known) in zip(by_quantile.items(), zip(*seen, strict=True), strict=True):
        if now > _allowed(min(known), limit):
            yield _latency(*latencies, q, limit, refuted)


def _errors(new: Sample, old: Sample, past: Sample, margin: float, refuted: Refuted) -> Verdict:
    found = compare(
        _errors_of(new), _errors_of(old), _errors_of(past), margin, refuted_at=refuted.errors
    )
    text = f"new {_rate(new)}, old {_told(found.baseline)}"
    if found.within:
        return Verdict(outcome=Outcome.PASSED, evidence=text)
    text += f"; limit +{format_share(round(margin * FULL_SHARE))}"
    if found.refuted:
        return Verdict(outcome=Outcome.FAILED, evidence=text)
    return chance(text, found.missing)


def _slower_now(old: Histogram, past: Histogram, q: float) -> bool:
    """Whether the old origin is slower than it used to be."""
    return log_evidence_of_slowdown(old, past, q, _the_same, threshold=DRIFT) >= DRIFT


def _shared_slowness(new: Histogram, old: Histogram, q: float) -> bool:
    """`_shared`, for a quantile of latency."""
    return old.total >= MIN_JUDGED and log_evidence_of_slowdown(new, old, q, _the_same) <= 0


def _latency(
    new: Histogram,
    old: Histogram,
    past: Histogram,
    q: float,
    limit: LatencyLimit,
    refuted: Refuted,
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
    evidence = log_evidence_of_slowdown(new, old, q, allowed, longer, threshold=refuted.quantile)
    if evidence >= refuted.quantile and not (longer and _shared_slowness(new, old, q)):
        return Verdict(outcome=Outcome.FAILED, evidence=text)
    # A quantile of too few requests is only the slowest of them.
    if now <= allowed(was) or min(new.total, baseline.total) * (1 - q) < 1:
        return Verdict(outcome=Outcome.PASSED, evidence=text)
    # A service that is off by twice the limit, if its latencies are the old ones made longer.
    edge = min(was / limit.max_ratio, was - limit.min_increase * 1000)
    slow = baseline.tails()[bisect_left(baseline.bounds_ms, edge)] / baseline.total
    ratio = baseline.total / new.total
    needed = requests_to_see(1 - q, slow - (1 - q), 0.0, refuted.quantile, ratio)
    return chance(text, max(0, needed - new.total))


def _allowed(quantile_ms: float, limit: LatencyLimit) -> float:
    return max(quantile_ms * limit.max_ratio, quantile_ms + limit.min_increase * 1000)


def chance(text: str, missing: int, what: str = "requests") -> Verdict:
    """Worse than a limit, but within chance; `missing` more would tell."""
    text += "; could still be chance"
    if missing:
        text += f", about {missing:,} more {what} would tell"
    return undecided(text, missing)


def _the_same(quantile: float) -> float:
    return quantile


def _errors_of(sample: Sample) -> Counts:
    return Counts(sample.errors, sample.requests)


def _rate(sample: Sample) -> str:
    return _told(_errors_of(sample))


def _told(errors: Counts) -> str:
    if not errors.total:
        return "no requests"
    return f"{errors.count}/{errors.total} = {errors.share:.1%} errors"
