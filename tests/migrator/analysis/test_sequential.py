"""The sequential test: bounds that hold at every look, and power where it matters."""

from math import inf, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.sequential import Rate, log_evidence_of_increase, lower_bound_of_increase
from migrator.analysis.verdict import ALPHA

RUNS, LOOKS, BATCH = 150, 50, 10
REFUTED = log(1 / ALPHA)


def alarms(old_rate: float, new_rate: float, margin: float, *, baseline: bool = True) -> list[int]:
    """The look at which each simulated rollout raised the alarm; LOOKS where none did."""
    chance, found = Random(20240601), []  # noqa: S311 - a simulation
    for _ in range(RUNS):
        new = old = 0
        alarm = LOOKS
        for look in range(LOOKS):
            new += sum(chance.random() < new_rate for _ in range(BATCH))
            old += sum(chance.random() < old_rate for _ in range(BATCH))
            seen = (look + 1) * BATCH
            known = Rate(old, seen) if baseline else None
            if log_evidence_of_increase(Rate(new, seen), known, margin) >= REFUTED:
                alarm = look
                break
        found.append(alarm)
    return found


@pytest.mark.parametrize(
    ("old", "new", "margin", "baseline"),
    [
        pytest.param(0.02, 0.02, 0.0, True, id="equal, good"),
        pytest.param(0.3, 0.3, 0.0, True, id="equal, bad"),
        pytest.param(0.02, 0.03, 0.01, True, id="exactly at the limit"),
        pytest.param(0.0, 0.01, 0.01, False, id="at the limit without a baseline"),
        pytest.param(0.1, 0.02, 0.0, True, id="better"),
    ],
)
def test_false_alarms_are_rare_however_often_one_looks(
    old: float, new: float, margin: float, baseline: bool
) -> None:
    false = sum(look < LOOKS for look in alarms(old, new, margin, baseline=baseline))
    assert false / RUNS <= 2 * ALPHA


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(0.0, 0.2, id="a fifth fails"),
        pytest.param(0.02, 0.5, id="half fails"),
        pytest.param(0.3, 0.7, id="bad gets worse"),
    ],
)
def test_a_clear_regression_is_found(old: float, new: float) -> None:
    found = alarms(old, new, 0.01)
    assert sum(look < LOOKS for look in found) / RUNS >= 0.99


rates = st.integers(1, 2000).flatmap(
    lambda trials: st.integers(0, trials).map(lambda hits: Rate(hits, trials))
)


@given(rates, rates, st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_wider_margin_is_harder_to_refute(new: Rate, old: Rate, a: float, b: float) -> None:
    narrow = max(0.0, log_evidence_of_increase(new, old, min(a, b)))
    wide = max(0.0, log_evidence_of_increase(new, old, max(a, b)))
    assert wide <= narrow + 1e-3


@given(rates, rates)
def test_no_evidence_of_what_was_not_observed(new: Rate, old: Rate) -> None:
    assert log_evidence_of_increase(new, old, max(0.0, new.observed - old.observed)) <= 0.0
    if new.observed <= old.observed:
        assert lower_bound_of_increase(new, old, ALPHA) == 0.0


@given(rates, rates)
def test_the_lower_bound_is_below_what_was_observed(new: Rate, old: Rate) -> None:
    bound = lower_bound_of_increase(new, old, ALPHA)
    assert 0.0 <= bound <= max(0.0, new.observed - old.observed) + 1e-6
    if bound > 0:
        assert log_evidence_of_increase(new, old, bound) >= REFUTED


@pytest.mark.parametrize(
    ("hits", "trials", "p", "evidence"),
    [
        pytest.param(0, 0, 0.5, 0.0, id="nothing says nothing"),
        pytest.param(1, 10, 0.0, inf, id="it happened, so it is not impossible"),
        pytest.param(9, 10, 1.0, inf, id="it did not, so it is not certain"),
    ],
)
def test_evidence_at_the_edges(hits: int, trials: int, p: float, evidence: float) -> None:
    assert Rate(hits, trials).log_evidence(p) == pytest.approx(evidence)


@pytest.mark.parametrize(
    ("hits", "trials"),
    [pytest.param(2, 1, id="more hits than trials"), pytest.param(-1, 1, id="negative")],
)
def test_what_is_no_rate(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        Rate(hits, trials)
