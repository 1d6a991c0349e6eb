"""The score is its parts' sum, and grows with each of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.discover.risk import Facts, assess

SHARE = st.floats(0, 1)
FACTS = st.builds(
    Facts, requests=st.integers(0, 5000), traffic=SHARE, writes=SHARE, errors=SHARE,
    routes=st.integers(0, 50), coupling=SHARE, writes_left=SHARE, tables=SHARE,
)  # fmt: skip


@settings(max_examples=60)
@given(FACTS)
def test_parts(facts: Facts) -> None:
    risk = assess(facts)
    assert sum(part.weight for part in risk.parts) == 100
    assert all(0 <= part.value <= 1 and part.why for part in risk.parts)
    assert 0 <= risk.score <= 100.000001
    assert risk.score == pytest.approx(sum(part.value * part.weight for part in risk.parts))


@settings(max_examples=60)
@given(
    FACTS,
    FACTS,
    st.sampled_from(["traffic", "writes", "errors", "routes", "coupling", "writes_left", "tables"]),
)
def test_more_of_one_is_never_less_risk(facts: Facts, other: Facts, name: str) -> None:
    low, high = sorted((getattr(facts, name), getattr(other, name)))
    less, more = (assess(replace(facts, **{name: value})) for value in (low, high))
    assert less.score <= more.score
    changed = [a.name for a, b in zip(less.parts, more.parts, strict=True) if a.value != b.value]
    assert len(changed) <= 1


@settings(max_examples=60)
@given(FACTS, st.integers(0, 5000))
def test_more_knowledge_is_never_more_risk(facts: Facts, more: int) -> None:
    assert assess(replace(facts, requests=facts.requests + more)).score <= assess(facts).score
