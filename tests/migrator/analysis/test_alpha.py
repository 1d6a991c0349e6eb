"""One alpha for all that is judged in a window."""

from math import exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.alpha import ALPHA, refuted_at
from migrator.plan.model import Analysis, Metric

PROPORTION = Metric(name="a", max_increase="1%")  # type: ignore[arg-type]
VALUE = Metric(name="b", max=1.0)


@given(st.lists(st.sampled_from([PROPORTION, VALUE]), max_size=20))
def test_the_parts_are_the_whole(metrics: list[Metric]) -> None:
    refuted = refuted_at(Analysis(metrics=tuple(metrics)))
    proportions = metrics.count(PROPORTION)
    parts = exp(-refuted.errors) + 3 * exp(-refuted.quantile) + proportions * exp(-refuted.metric)
    assert parts == pytest.approx(ALPHA)


def test_without_proportions_errors_have_three_quarters() -> None:
    for metrics in ((), (VALUE,)):
        refuted = refuted_at(Analysis(metrics=metrics))
        assert refuted.errors == pytest.approx(log(4 / 3 / ALPHA))
        assert refuted.metric == inf
