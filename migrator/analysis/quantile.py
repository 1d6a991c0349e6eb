"""Evidence that a quantile of the new origin's latencies is above what the old one's allows.

Pure arithmetic on histograms; valid however often one looks. For a quantile q such as 0.99 and a
limit A (the greatest quantile allowed for each one of the old origin, growing with it) the
hypothesis that is to be refuted is

    q_new <= A(q_old)

Let x be the true q_old. Then P(old >= x) >= 1 - q by the definition of a quantile, and, under the
hypothesis, P(new > A(x)) <= 1 - q. Each is a statement about one rate, so sequential.py has a bet
against it; a bet on a rate beyond what was observed counts as lost, so that it is at most the
martingale of whichever rate is true. Origins are independent, so the product of both
bets is one, too: E(x). The true x is not known, but min over x of E(x) is at most E(true x), so
by Ville's inequality it ever exceeds 1/alpha with probability at most alpha. No shape of the
distributions is assumed, and no size of the baseline: with few requests of the old origin nothing
speaks against a large x, and so the evidence stays small by itself.

A histogram tells counts only at its bounds, so for x in the bucket (low, high] both statements are
replaced by what they imply at bounds: P(old > low) >= 1 - q, and P(new > edge) <= 1 - q at the
first bound of new's histogram that is not below A(high). That can only lose evidence.

Howard, Ramdas 2022, "Sequential estimation of quantiles with applications to A/B testing and
best-arm identification", reduces quantiles to rates in the same way and lets confidence sequences
meet; the product of bets needs fewer requests. Ramdas, Grünwald, Vovk, Shafer 2023,
"Game-theoretic statistics and safe anytime-valid inference", has the rest.
"""

from bisect import bisect_left
from collections.abc import Callable
from math import inf

from migrator.analysis.sample import Histogram
from migrator.analysis.sequential import Rate, stake

Limit = Callable[[float], float]
"""The greatest quantile allowed, in milliseconds, for one of the old origin; must not fall."""


def log_evidence_of_slowdown(
    new: Histogram,
    old: Histogram,
    q: float,
    limit: Limit,
    longer: Histogram | None = None,
    *,
    threshold: float = -inf,
) -> float:
    """How much speaks against `q_new <= limit(q_old)`; above log(1/alpha) that is refuted.

    `longer`: the old origin with earlier figures included, in the same buckets as `old`. Without
    any figures there is no evidence. What is below `threshold` may be given too great, but still
    below it; that takes less time.
    """
    known = [each.tails() for each in (old, longer) if each is not None and each.total]
    if not known or not new.total:
        return 0.0
    slow = 1 - q
    slow_new = new.tails()
    # While x is below the old origin's observed quantile nothing speaks against it, and the new
    # origin's part only falls as x rises: the least is not there.
    first = min(_bucket_of_quantile(tails, slow) for tails in known)
    least = inf
    for bucket in range(first, len(known[0])):
        high = old.bounds_ms[bucket] if bucket < len(old.bounds_ms) else inf
        edge = bisect_left(new.bounds_ms, limit(high)) + 1
        hits = slow_new[edge] if edge < len(slow_new) else 0
        bet_on_new = []
        if hits > slow * slow_new[0]:
            bet_on_new.append(Rate(hits, slow_new[0], slow).log_evidence(slow))
        bets_on_old = [
            Rate(tails[bucket], tails[0], slow).log_evidence(slow)
            for tails in known
            if tails[bucket] < slow * tails[0]
        ]
        evidence = stake(bet_on_new, 0.5) + stake(bets_on_old, 0.25)
        least = min(least, evidence)
        # Without a bet the new origin's part stays from here on, and the old one's only grows.
        if least < threshold or not bet_on_new:
            break
    return least


def _bucket_of_quantile(tails: list[int], slow: float) -> int:
    """The last bucket with at least a share `slow` of the values at or above its lower bound."""
    wanted = slow * tails[0]
    return max(bucket for bucket, above in enumerate(tails[:-1]) if above >= wanted)
