"""Do both sides give the same answers often enough? The gate while both have users' requests.

Pure. The proxy compares mirrored reads, and what both sides say after a write (routing/parity), and
counts pairs, each apart; whether a difference is the monolith's own noise is decided there. Here
the share of pairs that differ is held against the plan's `analysis.parity`:

- *Refuted*, beyond chance, that at most `1 - min` of the pairs differ: fail. The bound is that of
  sequential.py, so looking twice a second does not make it cry wolf: `ALPHA` for a whole window,
  beside that of the other limits (verdict.py).
- Fewer than `min_compared` reads, or more than `1 - min` of the pairs that differ or may turn out
  to: not enough data. The rollout holds; without reads it never goes on by itself. Of writes no
  number is asked for: many a capability has none.
"""

from dataclasses import dataclass
from math import log
from typing import Final

from migrator.analysis.alpha import ALPHA
from migrator.analysis.proportion import MIN_JUDGED
from migrator.analysis.sequential import Rate, log_evidence_of_increase
from migrator.analysis.stats import NO_PAIRS, Counters, Pairs
from migrator.analysis.verdict import WORST_FIRST, Outcome, Verdict, undecided
from migrator.plan.model import ParityLimit
from migrator.plan.units import FULL_SHARE, format_share

_REFUTED: Final = log(1 / ALPHA)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityWindow:
    """The pairs since a step began; `last` is the newest reading of the counters."""

    last: Counters
    pairs: Pairs = NO_PAIRS
    """Of mirrored reads."""
    probes: Pairs = NO_PAIRS
    """Of what writes have left."""

    def read(self, counters: Counters) -> "ParityWindow":
        """With one more reading."""
        return ParityWindow(
            last=counters,
            pairs=self.pairs + counters.pairs_since(self.last),
            probes=self.probes + counters.probes_since(self.last),
        )


def judge_parity(pairs: Pairs, limit: ParityLimit) -> Verdict:
    """The verdict on a window's mirrored reads."""
    verdict = _judge(pairs, limit, "parity", "reads")
    if verdict.outcome is not Outcome.FAILED and pairs.compared < limit.min_compared:
        return undecided(f"parity: {pairs.compared} of {limit.min_compared} reads compared so far")
    return verdict


def judge_probes(probes: Pairs, limit: ParityLimit) -> Verdict:
    """The verdict on what a window's writes have left."""
    return _judge(probes, limit, "parity of writes", "reads after a write")


def _judge(pairs: Pairs, limit: ParityLimit, subject: str, what: str) -> Verdict:
    allowed = 1 - limit.min / FULL_SHARE
    text = f"{subject}: {_share(pairs, what)}; limit {format_share(limit.min)}"
    evidence = log_evidence_of_increase(Rate(pairs.different, pairs.compared), None, allowed)
    enough = pairs.compared >= min(limit.min_compared, MIN_JUDGED)
    if evidence >= _REFUTED and enough:
        if pairs.most:
            text += f"; most often {pairs.most}"
        return Verdict(outcome=Outcome.FAILED, evidence=text)
    if pairs.different + pairs.open > allowed * pairs.compared:
        return undecided(f"{text}; could still be chance or noise")
    return Verdict(outcome=Outcome.PASSED, evidence=text)


def worse(one: Verdict, other: Verdict) -> Verdict:
    """The verdict of both: a failure before what is open, and that before a pass."""
    if WORST_FIRST.index(other.outcome) < WORST_FIRST.index(one.outcome):
        return other
    if one.outcome is Outcome.PASSED:
        evidence = f"{one.evidence}; {other.evidence}"
        return Verdict(outcome=Outcome.PASSED, evidence=evidence)
    return one


def _share(pairs: Pairs, what: str) -> str:
    agree = pairs.compared - pairs.different
    if not pairs.compared:
        return f"no {what} compared"
    open_ = f", {pairs.open} open" if pairs.open else ""
    return f"{agree}/{pairs.compared} = {agree / pairs.compared:.2%} of the {what} agree{open_}"
