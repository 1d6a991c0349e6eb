"""What clauses compare with. Values that are odd are compared with the SDK, each with each."""

from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldclient.impl.model import Clause as SdkClause
from ldclient.impl.operators import ops as sdk_operators

from evaluation_worlds import odd_values
from flags.evaluation import dates, semver
from flags.evaluation.operators import OPERATORS, matches_any
from flags.model import Op


def sdk_says(op: str, have: Any, want: Any) -> bool | type[Exception]:
    clause = SdkClause({"attribute": "a", "op": op, "values": [want]})
    prepared = clause.values_preprocessed
    try:
        return bool(sdk_operators[op](have, want, prepared[0] if prepared else None))
    except OverflowError as error:
        return type(error)


def we_say(op: str, have: Any, want: Any) -> bool | type[Exception]:
    try:
        return matches_any(op, have, (want,))
    except OverflowError as error:
        return type(error)


def test_every_operator_of_the_model() -> None:
    assert {*OPERATORS, "segmentMatch"} == set(get_args(Op))


@pytest.mark.parametrize(
    ("op", "have", "want", "matches"),
    [
        pytest.param("in", "a", "a", True, id="in-text"),
        pytest.param("in", "a", "A", False, id="in-other-case"),
        pytest.param("in", 1, 1.0, True, id="in-number"),
        pytest.param("in", "1", 1, False, id="in-text-is-no-number"),
        pytest.param("in", True, 1, False, id="in-true-is-not-1"),
        pytest.param("in", 0, False, False, id="in-0-is-not-false"),
        pytest.param("in", {"a": 1}, {"a": 1}, True, id="in-object"),
        pytest.param("startsWith", "abc", "ab", True, id="starts"),
        pytest.param("startsWith", "ab", "abc", False, id="starts-longer"),
        pytest.param("startsWith", 12, 1, False, id="starts-number"),
        pytest.param("endsWith", "abc", "bc", True, id="ends"),
        pytest.param("contains", "abc", "b", True, id="contains"),
        pytest.param("contains", "b", "abc", False, id="contains-turned"),
        pytest.param("contains", ["b"], "b", False, id="contains-list"),
        pytest.param("matches", "abc", "b", True, id="matches-anywhere"),
        pytest.param("matches", "abc", "^b", False, id="matches-not"),
        pytest.param("matches", "abc", "(", False, id="matches-broken"),
        pytest.param("matches", "1", 1, False, id="matches-number"),
        pytest.param("lessThan", 1, 2, True, id="less"),
        pytest.param("lessThan", 1, 1, False, id="less-equal"),
        pytest.param("lessThan", "1", 2, False, id="less-text"),
        pytest.param("lessThan", False, 2, False, id="less-boolean"),
        pytest.param("lessThanOrEqual", 1, 1.0, True, id="at-most"),
        pytest.param("greaterThan", 2**53 + 1, 2**53, False, id="greater-as-floats"),
        pytest.param("greaterThanOrEqual", 2**53 + 1, 2**53, True, id="at-least-as-floats"),
        pytest.param("before", "2024-01-01T00:00:00Z", 1704067200001, True, id="before"),
        pytest.param("before", 0, "1970-01-01T01:00:00+01:00", False, id="before-the-same"),
        pytest.param("before", 0, "1970-01-01", False, id="before-a-day"),
        pytest.param("after", 1, "1970-01-01T00:00:00Z", True, id="after"),
        pytest.param("after", True, 0, False, id="after-boolean"),
        pytest.param("semVerEqual", "2.0", "2.0.0+build", True, id="version"),
        pytest.param("semVerEqual", 2, "2.0.0", False, id="version-number"),
        pytest.param("semVerLessThan", "2.0.0-rc.9", "2.0.0-rc.10", True, id="version-less"),
        pytest.param("semVerGreaterThan", "1.10.0", "1.9.0", True, id="version-greater"),
        pytest.param("semVerGreaterThan", "one", "0.0.0", False, id="version-broken"),
    ],
)
def test_operator(op: str, have: Any, want: Any, matches: bool) -> None:
    assert we_say(op, have, want) == sdk_says(op, have, want) == matches


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_odd_values(op: str) -> None:
    values = odd_values()
    differing = [
        (have, want)
        for have, want in product(values, repeat=2)
        if not _refused_by_the_sdk(op, want) and we_say(op, have, want) != sdk_says(op, have, want)
    ]
    assert differing == []


def _refused_by_the_sdk(op: str, want: Any) -> bool:
    return op in ("before", "after") and isinstance(want, int) and abs(want) > 10**308


@pytest.mark.parametrize(
    ("values", "matches"),
    [
        pytest.param((), False, id="none"),
        pytest.param((1, None, "b"), False, id="no"),
        pytest.param((1, "a", "b"), True, id="one"),
    ],
)
def test_any_value(values: tuple[Any, ...], matches: bool) -> None:
    assert matches_any("in", "a", values) is matches
    assert matches_any("startsWith", "ab", values) is matches


@given(st.text("0123.-+ab\n", max_size=9), st.text("0123.-+ab\n", max_size=9))
def test_versions_agree_with_the_sdk(have: str, want: str) -> None:
    for op in ("semVerEqual", "semVerLessThan", "semVerGreaterThan"):
        assert we_say(op, have, want) == sdk_says(op, have, want)


@given(st.from_regex(r"\A20[0-9]{2}-[01][0-9]-0[1-9][Tt ][012][0-9]:[05]\d:00([.,]\d+)?[Zz+-]?\Z"))
def test_dates_agree_with_the_sdk(text: str) -> None:
    for op in ("before", "after"):
        assert we_say(op, text, 1704067200000) == sdk_says(op, text, 1704067200000)
        assert we_say(op, 1704067200000, text) == sdk_says(op, 1704067200000, text)


def test_order_of_versions() -> None:
    """The example of semver.org."""
    ordered = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11"
    versions = [semver.parse(text) for text in [*ordered.split(), "1.0.0-rc.1", "1.0.0", "1.0.1"]]
    assert None not in versions
    assert sorted(versions, key=lambda v: v or ()) == versions


def test_date() -> None:
    assert dates.parse("1970-01-01T00:00:01.5Z") == 1500.0
    assert dates.parse("1970-01-01T00:00:01") is None


def test_a_search_that_would_never_end_is_no_match() -> None:
    assert not we_say("matches", "a" * 80 + "!", "^(a|aa)+$")
