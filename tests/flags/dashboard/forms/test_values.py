"""Values of clauses, as typed and as shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.dashboard.forms.values import parse_values, show_values
from flags.errors import Rejected

VERSIONS = st.from_regex(r"(0|[1-9][0-9]?)\.(0|[1-9][0-9]?)\.(0|[1-9][0-9]?)", fullmatch=True)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text()
JSON = st.recursive(SCALARS, lambda s: st.lists(s) | st.dictionaries(st.text(), s), max_leaves=5)


@pytest.mark.parametrize(
    ("typed", "op", "attribute", "values"),
    [
        pytest.param("trial\nteam", "in", "plan", ["trial", "team"], id="lines"),
        pytest.param("trial, team,", "in", "plan", ["trial", "team"], id="commas"),
        pytest.param("a\r\n\r\n b ", "in", "plan", ["a", "b"], id="a-browser's-line-ends"),
        pytest.param("7, -1.5, true, null", "in", "age", [7, -1.5, True, None], id="typed"),
        pytest.param("007, 1e999, NaN", "in", "age", ["007", "1e999", "NaN"], id="no-numbers"),
        pytest.param('"7", "a, b"', "in", "age", ["7", "a, b"], id="quoted"),
        pytest.param("7, true", "in", "key", ["7", "true"], id="keys-are-text"),
        pytest.param('[1, 2], {"a": 1}', "in", "x", [[1, 2], {"a": 1}], id="documents"),
        pytest.param('say "hi", you', "in", "x", ['say "hi"', "you"], id="quotes-within"),
        pytest.param('"open', "in", "x", ['"open'], id="quote-not-closed"),
        pytest.param("7, true", "startsWith", "x", ["7", "true"], id="text-operator"),
        pytest.param("7, 1.5", "lessThan", "x", [7, 1.5], id="numbers"),
        pytest.param(
            "2030-01-31T06:00:00Z, 5", "before", "x", ["2030-01-31T06:00:00Z", 5], id="dates"
        ),
        pytest.param("2, 2.1.0", "semVerEqual", "x", ["2", "2.1.0"], id="versions"),
        pytest.param("^a.*$", "matches", "x", ["^a.*$"], id="pattern"),
        pytest.param('"a{1,2}"', "matches", "x", ["a{1,2}"], id="pattern-with-comma"),
        pytest.param(" \n", "in", "x", [], id="nothing"),
    ],
)
def test_parse(typed: str, op: str, attribute: str, values: list[Any]) -> None:
    found = parse_values(typed, op, attribute)
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(
    ("typed", "op", "message"),
    [
        pytest.param("7, x", "lessThan", "values: expected a number, found 'x'", id="number"),
        pytest.param("true", "greaterThan", "values: expected a number", id="boolean"),
        pytest.param("tomorrow", "after", "values: expected a date with time zone", id="date"),
        pytest.param("2030-01-31T06:00", "after", "values: expected a date with", id="no-zone"),
        pytest.param("new", "semVerLessThan", "values: expected a version", id="version"),
        pytest.param("(", "matches", "values: '(' is no regular expression", id="pattern"),
    ],
)
def test_refused(typed: str, op: str, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_values(typed, op, "x")
    assert str(caught.value).startswith(message)


@given(st.lists(JSON, max_size=4), st.sampled_from(["plan", "/address/city"]))
def test_anything_equal_can_be_shown_and_sent_back(values: list[Any], attribute: str) -> None:
    shown = show_values(values, "in", attribute)
    found = parse_values(shown, "in", attribute)
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(
    ("op", "values"),
    [
        pytest.param("in", st.text(), id="keys"),
        pytest.param("contains", st.text(), id="text"),
        pytest.param("lessThan", NUMBERS, id="numbers"),
        pytest.param("semVerEqual", VERSIONS, id="versions"),
    ],
)
def test_what_an_operator_wants_can_be_shown_and_sent_back(
    op: str, values: st.SearchStrategy[Any]
) -> None:
    @given(st.lists(values, max_size=4))
    def there_and_back(given_values: list[Any]) -> None:
        assert parse_values(show_values(given_values, op, "key"), op, "key") == given_values

    there_and_back()


@given(st.text(), st.sampled_from(["in", "contains", "matches", "lessThan", "before"]))
def test_no_text_breaks_it(typed: str, op: str) -> None:
    try:
        values = parse_values(typed, op, "x")
    except Rejected:
        return
    assert parse_values(show_values(values, op, "x"), op, "x") == values
