"""Queries for one origin, and Prometheus' answers to them."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.counters import MAX_SERIES
from migrator.analysis.promql import one_value, parse_answer, query_for
from migrator.errors import Unavailable
from migrator.plan.model import ByOrigin


def vector(*values: str, kind: str = "vector") -> bytes:
    result = [
        {"metric": {"pod": str(number)}, "value": [1.5, value]}
        for number, value in enumerate(values)
    ]
    return answered({"resultType": kind, "result": result})


def answered(data: Any) -> bytes:
    return json.dumps({"status": "success", "data": data}).encode()


def test_places_are_filled_in() -> None:
    text = 'a{side="${origin}",of=~"${capability}-.*$"}'
    assert query_for(text, "old", "shop") == 'a{side="old",of=~"shop-.*$"}'
    both = ByOrigin(old="monolith_total", new="${capability}_total")
    assert query_for(both, "old", "shop") == "monolith_total"
    assert query_for(both, "new", "shop") == "shop_total"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(vector(), [], id="nothing"),
        pytest.param(vector("1", "2.5e3"), [1.0, 2500.0], id="vector"),
        pytest.param(vector("NaN", "+Inf", "4"), [4.0], id="no-numbers"),
        pytest.param(answered({"resultType": "scalar", "result": [1.5, "7"]}), [7.0], id="scalar"),
    ],
)
def test_answers(body: bytes, expected: list[float]) -> None:
    assert list(parse_answer(body).values()) == expected


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "answer: Invalid JSON", id="empty"),
        pytest.param(b"<html>", "Invalid JSON", id="a-page"),
        pytest.param(b"{}", "discriminator", id="object"),
        pytest.param(vector(kind="matrix"), "resultType", id="matrix"),
        pytest.param(vector("x"), "'x' is no number", id="no-number"),
        pytest.param(vector(*"1" * (MAX_SERIES + 1)), "at most 1000", id="too-many"),
        pytest.param(
            b'{"status":"error","errorType":"bad_data","error":"1:3: parse error"}',
            "bad_data: 1:3: parse error",
            id="refused",
        ),
    ],
)
def test_what_cannot_be_used(body: bytes, words: str) -> None:
    with pytest.raises(Unavailable) as found:
        parse_answer(body)
    assert words in str(found.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON.map(json.dumps).map(str.encode) | JSON.map(answered) | st.binary())
def test_nothing_else_is_raised(body: bytes) -> None:
    with contextlib.suppress(Unavailable):
        parse_answer(body)


def test_one_value() -> None:
    assert one_value({}) is None
    assert one_value({"a": 1.0}) == 1.0
    with pytest.raises(Unavailable, match="2 series where one value is expected"):
        one_value({"a": 1.0, "b": 1.0})
