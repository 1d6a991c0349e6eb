"""What a webhook may answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.counters import Counted
from migrator.analysis.figures import parse_figures
from migrator.analysis.metric import Counting, Values
from migrator.errors import Unavailable
from migrator.plan.model import Metric

PROPORTION = Metric(name="a", max_increase="1%")  # type: ignore[arg-type]
VALUE = Metric(name="a", max=1.0)


def both(old: Any, new: Any) -> bytes:
    return json.dumps({"old": old, "new": new, "more": 1}).encode()


def test_figures() -> None:
    body = both({"count": 3, "total": 120}, {"count": 1, "total": 30})
    assert parse_figures(PROPORTION, body) == Counting(
        old=Counted({"": 3}, {"": 120}), new=Counted({"": 1}, {"": 30})
    )
    body = both({"value": None}, {"value": 0.5})
    assert parse_figures(VALUE, body) == Values(old=None, new=0.5)


GOOD = {"count": 1, "total": 2}


@pytest.mark.parametrize(
    ("metric", "body", "words"),
    [
        pytest.param(PROPORTION, b"", "answer: Invalid JSON", id="empty"),
        pytest.param(PROPORTION, b"[]", "answer: ", id="list"),
        pytest.param(PROPORTION, both(GOOD, None), "new: ", id="none"),
        pytest.param(PROPORTION, both(GOOD, {"count": 1}), "new.total: Field required", id="half"),
        pytest.param(PROPORTION, both({"count": 3, "total": 2}, GOOD), "greater", id="more"),
        pytest.param(PROPORTION, both({"count": -1, "total": 2}, GOOD), "old.count: ", id="minus"),
        pytest.param(VALUE, both({}, {"value": 1}), "old.value: Field required", id="no-value"),
        pytest.param(VALUE, both({"value": "x"}, {"value": 1}), "old.value: ", id="text"),
    ],
)
def test_what_cannot_be_used(metric: Metric, body: bytes, words: str) -> None:
    with pytest.raises(Unavailable) as found:
        parse_figures(metric, body)
    assert words in str(found.value)


@given(st.binary(), st.sampled_from([PROPORTION, VALUE]))
def test_nothing_else_is_raised(body: bytes, metric: Metric) -> None:
    with pytest.raises(Unavailable):
        parse_figures(metric, body)
