"""Two proportions, a margin between them, and chance."""

from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.alpha import ALPHA
from migrator.analysis.proportion import Counts, compare

NONE = Counts()
REFUTED = log(1 / ALPHA)
counts = st.integers(0, 3000).flatmap(
    lambda total: st.integers(0, total).map(lambda count: Counts(count, total))
)


@given(counts, counts, counts, st.floats(0.001, 0.5))
def test_only_what_is_seen_to_be_beyond_is_refuted(
    new: Counts, old: Counts, past: Counts, margin: float
) -> None:
    found = compare(new, old, past, margin, refuted_at=REFUTED, expected=0.5)
    assert found.baseline in (old, past + old)
    assert found.within == (new.share <= found.baseline.share + margin)
    assert not (found.within and found.refuted)
    assert found.missing >= 0


@given(counts)
def test_the_others_are_the_rest(some: Counts) -> None:
    assert some.others.others == some
    assert some.others.count + some.count == some.total


@pytest.mark.parametrize("expected", [0.05, 0.5])
@pytest.mark.parametrize("share", [0.002, 0.03, 0.5, 0.97])
def test_at_the_limit_alarms_are_rare_however_often_one_looks(
    share: float, expected: float
) -> None:
    chance, runs, margin = Random(7), 60, 0.01  # noqa: S311
    alarms = 0
    for _ in range(runs):
        new, old = NONE, NONE
        for _ in range(25):
            new += drawn(chance, share + margin, 40)
            old += drawn(chance, share, 40)
            if compare(new, old, NONE, margin, refuted_at=REFUTED, expected=expected).refuted:
                alarms += 1
                break
    assert alarms <= max(1, 3 * ALPHA * runs)


def drawn(chance: Random, share: float, total: int) -> Counts:
    return Counts(sum(chance.random() < share for _ in range(total)), total)


def test_the_past_counts_until_it_contradicts_the_present() -> None:
    past = Counts(20, 2000)
    found = compare(Counts(60, 600), Counts(3, 300), past, 0.01, refuted_at=REFUTED)
    assert found.baseline == Counts(23, 2300)
    assert found.refuted
    ill = Counts(5, 50)
    assert compare(Counts(60, 600), ill, past, 0.01, refuted_at=REFUTED).baseline == ill
