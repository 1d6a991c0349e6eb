"""The verdict on how often both sides agree."""

import random

import pytest

from migrator.analysis.parity import ParityWindow, judge_parity, judge_probes, worse
from migrator.analysis.stats import Counters, Pairs
from migrator.analysis.verdict import Outcome, Verdict
from migrator.plan.model import ParityLimit

LIMIT = ParityLimit(min="99%", min_compared=50)  # type: ignore[arg-type]
PASSED, FAILED, OPEN = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_ENOUGH_DATA


def pairs(compared: int, different: int = 0, open: int = 0) -> Pairs:
    return Pairs(compared=compared, different=different, open=open, most="body.a (value)")


@pytest.mark.parametrize(
    ("seen", "outcome", "words"),
    [
        pytest.param(pairs(0), OPEN, "0 of 50 reads", id="nothing"),
        pytest.param(pairs(49), OPEN, "49 of 50 reads", id="too-few"),
        pytest.param(pairs(50), PASSED, "50/50 = 100.00%", id="all-agree"),
        pytest.param(pairs(1000, 9), PASSED, "991/1000", id="as-allowed"),
        pytest.param(pairs(1000, 12), OPEN, "chance", id="could-be-chance"),
        pytest.param(pairs(1000, 0, 12), OPEN, "12 open", id="could-be-noise"),
        pytest.param(pairs(1000, 40), FAILED, "most often body.a (value)", id="too-many"),
        pytest.param(pairs(19, 19), OPEN, "19 of 50", id="few-are-not-judged"),
        pytest.param(pairs(20, 20), FAILED, "0/20", id="always"),
    ],
)
def test_verdicts(seen: Pairs, outcome: Outcome, words: str) -> None:
    verdict = judge_parity(seen, LIMIT)
    assert (verdict.outcome, words in verdict.evidence) == (outcome, True), verdict


@pytest.mark.parametrize(
    ("seen", "outcome", "words"),
    [
        pytest.param(pairs(1), PASSED, "1/1 = 100.00% of the reads after a write", id="one"),
        pytest.param(pairs(9, 1), OPEN, "chance", id="one-differs"),
        pytest.param(pairs(20, 20), FAILED, "parity of writes: 0/20", id="always"),
    ],
)
def test_verdicts_on_writes(seen: Pairs, outcome: Outcome, words: str) -> None:
    verdict = judge_probes(seen, LIMIT)
    assert (verdict.outcome, words in verdict.evidence) == (outcome, True), verdict


def test_a_service_at_the_limit_is_seldom_failed_however_often_one_looks() -> None:
    chance = random.Random(1)  # noqa: S311
    failed = 0
    for _ in range(100):
        different = 0
        for compared in range(1, 1001):
            different += chance.random() < 0.01
            if compared % 10 == 0:
                seen = pairs(compared, different)
                if judge_parity(seen, LIMIT).outcome is FAILED:
                    failed += 1
                    break
    assert failed <= 5


def counters(instance: str, compared: int, different: int = 0) -> Counters:
    """Twice as many probes, of which as many differ."""
    reads, probes = pairs(compared, different), pairs(2 * compared, different)
    return Counters(instance=instance, cells={}, pairs=reads, probes=probes)


def test_a_window_begins_at_its_base_and_outlives_the_proxy() -> None:
    window = ParityWindow(last=counters("one", 100, 50))
    for reading in (counters("one", 110, 50), counters("two", 5, 1), counters("two", 7, 1)):
        window = window.read(reading)
    assert (window.pairs.compared, window.pairs.different) == (17, 1)
    assert (window.probes.compared, window.probes.different) == (34, 1)


def test_the_log_keeps_the_base() -> None:
    kept = counters("one", 3, 1)
    again = Counters.from_json(kept.to_json())
    assert again.pairs_since(kept) == again.probes_since(kept) == Pairs(most="")
    former = kept.to_json()
    del former["pairs"], former["probes"]
    assert Counters.from_json(former).pairs == Counters.from_json(former).probes == Pairs()


@pytest.mark.parametrize("one", list(Outcome))
@pytest.mark.parametrize("other", list(Outcome))
def test_the_worse_of_two_counts(one: Outcome, other: Outcome) -> None:
    both = worse(Verdict(outcome=one, evidence="a"), Verdict(outcome=other, evidence="b"))
    expected = next(o for o in (FAILED, OPEN, PASSED) if o in (one, other))
    assert both.outcome is expected
