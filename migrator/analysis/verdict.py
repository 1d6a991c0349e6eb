"""Is the new origin as good as the old one? pass, fail, or not enough data, with the evidence.

Pure. Called by the controller at each tick with a capability's window; the rollout engine acts on
the answer. Four rules, in this order:

1. *Broken*: at least half of the new origin's requests failed, in every reading for `RIDE_OUT`
   seconds and over at least `MIN_JUDGED` requests: fail at once. The run that makes this true is
   measured by watch.py, so a process that restarts within 3 seconds rides it out. If the old
   origin fails too, nobody is judged: the fault is shared, and going back would not help.
2. *Too few*: below `MIN_JUDGED` requests nothing is ever failed, below `needed` nothing is passed.
3. *Errors*: the new error rate exceeds the old one by more than the limit, beyond chance
   (sequential.py, `ALPHA` for a whole window however often one looks).
4. *Latency*: more than 1 % of the new origin's requests are slower than the old p99 allows
   (`max_ratio` times it *and* `min_increase` above it), beyond chance.

Worse than the limit but within chance is "not enough data": the rollout holds until more requests
settle it. Rules 3 and 4 must come to the same answer for `CONFIRM` seconds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from typing import Final

from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.sequential import Rate, log_evidence_of_increase
from migrator.analysis.watch import MIN_OUTAGE, RIDE_OUT, Watch
from migrator.plan.model import Analysis, LatencyLimit
from migrator.plan.units import FULL_SHARE, format_duration, format_share

MIN_JUDGED: Final = 20
"""Requests at the new origin below which nothing is judged."""
MIN_BASELINE: Final = 100
"""Requests at the old origin in the window; with fewer, its earlier figures are added."""
MIN_P99: Final = 100
"""Requests below which a 99th percentile is only the slowest request."""
CONFIRM: Final = 2.0
"""Seconds for which a failure must be seen at every look."""
ALPHA: Final = 0.02
"""Probability that a service exactly at a limit is ever failed by that limit in one window."""
_REFUTED: Final = log(1 / ALPHA)
_SLOW_ALLOWED: Final = 0.01


class Outcome(StrEnum):
    PASSED = "pass"
    FAILED = "fail"
    NOT_ENOUGH_DATA = "not_enough_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`evidence` is a sentence with the numbers; `certain`: needs no second look."""

    outcome: Outcome
    evidence: str
    certain: bool = False


def judge(
    watch: Watch, limits: Analysis, *, history: Sample = NOTHING, needed: int = MIN_JUDGED
) -> Verdict:
    """The verdict on the window so far.

    `history`: the old origin's figures from earlier windows of the same rollout, for when everybody
    is at the new one. `needed`: least requests at the new origin for a pass.
    """
    run = watch.new.run
    if run is not None and run.sample.requests >= MIN_OUTAGE:
        return _running(watch, seconds=watch.at - run.since, failed=run.sample)
    new, old = watch.new.everything, watch.old.settled
    if old.requests < MIN_BASELINE:
        old = history + old
    if new.requests < min(needed, MIN_JUDGED):
        return _open(f"{new.requests} of {needed} requests at the service so far")
    for verdict in (
        _errors(new, old, limits.error_rate.max_increase),
        _latency(new, old, limits.latency.p99),
    ):
        # Few requests can look bad by chance: only a pass may be given on an explicit small number.
        if verdict.outcome is Outcome.FAILED and new.requests < MIN_JUDGED:
            return _open(verdict.evidence)
        if verdict.outcome is not Outcome.PASSED:
            return verdict
    if new.requests < needed:
        return _open(f"{new.requests} of {needed} requests at the service so far")
    return Verdict(outcome=Outcome.PASSED, evidence=_errors_text(new, old))


def confirm(watch: Watch, verdict: Verdict) -> tuple[Watch, Verdict]:
    """Keep a failure back until it was seen at every look for `CONFIRM` seconds."""
    if verdict.outcome is not Outcome.FAILED:
        return replace(watch, suspected=None), verdict
    since = watch.at if watch.suspected is None else watch.suspected
    watch = replace(watch, suspected=since)
    if verdict.certain or watch.at - since >= CONFIRM:
        return watch, verdict
    return watch, _open(verdict.evidence)


def _open(evidence: str) -> Verdict:
    return Verdict(outcome=Outcome.NOT_ENOUGH_DATA, evidence=evidence)


def _running(watch: Watch, *, seconds: float, failed: Sample) -> Verdict:
    text = f"the service fails: {_rate(failed)} of the last {seconds:.1f} s"
    old_run = watch.old.run
    if old_run is not None and old_run.sample.requests >= MIN_OUTAGE:
        return _open(f"{text}; the monolith fails too: {_rate(old_run.sample)}")
    if failed.requests >= MIN_JUDGED and seconds >= RIDE_OUT:
        return Verdict(outcome=Outcome.FAILED, evidence=text, certain=True)
    return _open(text)


def _errors(new: Sample, old: Sample, max_increase: int) -> Verdict:
    margin = max_increase / FULL_SHARE
    text = f"{_errors_text(new, old)}; limit +{format_share(max_increase)}"
    baseline = Rate(old.errors, old.requests) if old.requests else None
    evidence = log_evidence_of_increase(Rate(new.errors, new.requests), baseline, margin)
    if evidence >= _REFUTED:
        return Verdict(outcome=Outcome.FAILED, evidence=text)
    if new.error_rate > old.error_rate + margin:
        return _open(f"{text}; could still be chance")
    return Verdict(outcome=Outcome.PASSED, evidence=text)


def _latency(new: Sample, old: Sample, limit: LatencyLimit) -> Verdict:
    was, now = old.p99_ms, new.p99_ms
    if was is None or now is None or old.latency.total < MIN_BASELINE:
        return Verdict(outcome=Outcome.PASSED, evidence="latency: no figures to compare with")
    allowed = max(was * limit.max_ratio, was + limit.min_increase * 1000)
    text = (
        f"p99 new {now:.0f} ms, old {was:.0f} ms; "
        f"limit ×{limit.max_ratio:g} and +{format_duration(limit.min_increase)}"
    )
    count = new.latency.total
    slow = Rate(new.latency.above(allowed), count)
    if log_evidence_of_increase(slow, None, _SLOW_ALLOWED) >= _REFUTED:
        return Verdict(outcome=Outcome.FAILED, evidence=text)
    if now > allowed and count >= MIN_P99:
        return _open(f"{text}; could still be chance")
    return Verdict(outcome=Outcome.PASSED, evidence=text)


def _errors_text(new: Sample, old: Sample) -> str:
    return f"new {_rate(new)}, old {_rate(old)}"


def _rate(sample: Sample) -> str:
    if not sample.requests:
        return "no requests"
    return f"{sample.errors}/{sample.requests} = {sample.error_rate:.1%} errors"
