"""Attribute references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldclient.impl.model.attribute_ref import AttributeRef

from flags.evaluation.reference import parse


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("plan", ("plan",), id="name"),
        pytest.param("a/b", ("a/b",), id="slash-inside-is-no-pointer"),
        pytest.param("a~1b", ("a~1b",), id="tilde-inside-is-no-escape"),
        pytest.param("/plan", ("plan",), id="pointer-to-the-top"),
        pytest.param("/address/city", ("address", "city"), id="pointer"),
        pytest.param("/a~1b/~0", ("a/b", "~"), id="escapes"),
        pytest.param("/~01", ("~1",), id="escaped-tilde-before-1"),
        pytest.param("/ /0", (" ", "0"), id="space-and-digit"),
    ],
)
def test_names(text: str, names: tuple[str, ...]) -> None:
    assert parse(text).names == names
    assert parse(text).problem is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "the attribute reference is empty", id="empty"),
        pytest.param("/", "the attribute reference is empty", id="slash"),
        pytest.param("//", "has two slashes, or one at its end", id="slashes"),
        pytest.param("/a//b", "has two slashes, or one at its end", id="two-slashes"),
        pytest.param("/a/", "has two slashes, or one at its end", id="slash-at-the-end"),
        pytest.param("/a~2", "has a ~ that is not ~0 or ~1", id="unknown-escape"),
        pytest.param("/a~", "has a ~ that is not ~0 or ~1", id="tilde-at-the-end"),
        pytest.param("/a~\n", "has a ~ that is not ~0 or ~1", id="tilde-before-a-line-end"),
    ],
)
def test_problem(text: str, problem: str) -> None:
    assert problem in str(parse(text).problem)
    assert parse(text).names == ()


@pytest.mark.parametrize(
    ("text", "is_kind"),
    [("kind", True), ("/kind", True), ("/kind/a", False), ("kin", False), ("", False)],
)
def test_kind(text: str, is_kind: bool) -> None:
    assert parse(text).is_kind is is_kind


@given(st.text("/~01a\n", max_size=8))
def test_agrees_with_the_sdk(text: str) -> None:
    theirs = AttributeRef.from_path(text)
    ours = parse(text)
    assert (ours.problem is None) == theirs.valid
    assert ours.names == tuple(theirs[i] for i in range(theirs.depth))
