"""The sequential test: bounds that hold at every look, and power where it matters."""

from math import inf, isnan, log
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.alpha import ALPHA
from migrator.analysis.sequential import (
    Rate,
    log_evidence_of_increase,
    requests_to_see,
    stake,
)

RUNS, LOOKS, BATCH = 150, 50, 10
REFUTED = log(1 / ALPHA)


def alarms(
    old_rate: float, new_rate: float, margin: float, *, baseline: bool = True, past: int = 0
) -> list[int]:
    """The look at which each simulated rollout raised the alarm; LOOKS where none did."""
    chance, found = Random(20240601), []  # noqa: S311 - a simulation
    for _ in range(RUNS):
        earlier = sum(chance.random() < old_rate for _ in range(past))
        new = old = 0
        alarm = LOOKS
        for look in range(LOOKS):
            new += sum(chance.random() < new_rate for _ in range(BATCH))
            old += sum(chance.random() < old_rate for _ in range(BATCH))
            seen = (look + 1) * BATCH
            known = Rate(old, seen) if baseline else None
            longer = Rate(earlier + old, past + seen) if past else None
            evidence = log_evidence_of_increase(
                Rate(new, seen), known, margin, longer, threshold=REFUTED
            )
            if evidence >= REFUTED:
                alarm = look
                break
        found.append(alarm)
    return found


@pytest.mark.parametrize(
    ("old", "new", "margin", "baseline", "past"),
    [
        pytest.param(0.02, 0.02, 0.0, True, 0, id="equal, good"),
        pytest.param(0.3, 0.3, 0.0, True, 0, id="equal, bad"),
        pytest.param(0.02, 0.03, 0.01, True, 0, id="exactly at the limit"),
        pytest.param(0.02, 0.03, 0.01, True, 300, id="exactly at the limit, with a past"),
        pytest.param(0.0, 0.01, 0.01, False, 0, id="at the limit without a baseline"),
        pytest.param(0.1, 0.02, 0.0, True, 0, id="better"),
    ],
)
def test_false_alarms_are_rare_however_often_one_looks(
    old: float, new: float, margin: float, baseline: bool, past: int
) -> None:
    false = sum(look < LOOKS for look in alarms(old, new, margin, baseline=baseline, past=past))
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


@pytest.mark.parametrize(
    ("old", "new", "margin"),
    [
        pytest.param(0.05, 0.2, 0.01, id="four times as many"),
        pytest.param(0.02, 0.15, 0.005, id="many times as many"),
    ],
)
def test_about_as_many_requests_as_foretold(old: float, new: float, margin: float) -> None:
    foretold = requests_to_see(old, new - old, margin, REFUTED)
    needed = median((look + 1) * BATCH for look in alarms(old, new, margin))
    assert foretold / 2 <= needed <= foretold * 2


@pytest.mark.parametrize(
    ("rate", "increase", "margin", "ratio"),
    [
        pytest.param(0.01, 0.0, 0.0, 1.0, id="no increase"),
        pytest.param(0.01, 0.01, 0.02, 1.0, id="an increase within the limit"),
        pytest.param(0.0, 0.02, 0.01, 0.0, id="nothing to compare with"),
        pytest.param(0.9, 0.2, 0.1, 1.0, id="no such rate"),
    ],
)
def test_what_no_number_of_requests_shows(
    rate: float, increase: float, margin: float, ratio: float
) -> None:
    assert requests_to_see(rate, increase, margin, REFUTED, ratio) == 0


counts = st.integers(1, 2000).flatmap(
    lambda trials: st.tuples(st.integers(0, trials), st.just(trials))
)
rates = counts.map(lambda of: Rate(*of))
margins = st.floats(0, 0.5)


@given(rates, rates, st.none() | rates, margins, margins)
def test_a_wider_margin_is_harder_to_refute(
    new: Rate, old: Rate, longer: Rate | None, a: float, b: float
) -> None:
    narrow = max(0.0, log_evidence_of_increase(new, old, min(a, b), longer))
    wide = max(0.0, log_evidence_of_increase(new, old, max(a, b), longer))
    assert wide <= narrow + 1e-3


@given(rates, st.none() | rates, st.none() | rates, margins)
def test_evidence_is_a_number(
    new: Rate, old: Rate | None, longer: Rate | None, margin: float
) -> None:
    evidence = log_evidence_of_increase(new, old, margin, longer)
    assert not isnan(evidence)
    assert evidence > -inf


@given(rates, rates, st.none() | rates, margins, st.floats(-5, 20))
def test_a_threshold_changes_no_decision(
    new: Rate, old: Rate, longer: Rate | None, margin: float, threshold: float
) -> None:
    exact = log_evidence_of_increase(new, old, margin, longer)
    quick = log_evidence_of_increase(new, old, margin, longer, threshold=threshold)
    assert (quick >= threshold) == (exact >= threshold)


@given(counts, st.sampled_from([0.5, 0.05, 0.01]))
def test_evidence_against_the_expected_rate_never_falls_with_hits(
    of: tuple[int, int], expected: float
) -> None:
    """On the side of the rate to which the hits point, in the direction away from it."""
    hits, trials = of
    now = Rate(hits, trials, expected)
    if expected * trials <= hits < trials:
        assert Rate(hits + 1, trials, expected).log_evidence(expected) >= (
            now.log_evidence(expected) - 1e-9
        )
    if 0 < hits <= expected * trials:
        assert Rate(hits - 1, trials, expected).log_evidence(expected) >= (
            now.log_evidence(expected) - 1e-9
        )


@given(rates, rates)
def test_no_evidence_of_what_was_not_observed(new: Rate, old: Rate) -> None:
    assert log_evidence_of_increase(new, old, max(0.0, new.observed - old.observed)) <= 0.0


@given(st.lists(st.floats(-1000, 1000) | st.just(inf), max_size=2))
def test_half_of_the_stake_is_kept(bets: list[float]) -> None:
    assert log(0.5) <= stake(bets, 0.25) <= max([0.0, *bets])


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
