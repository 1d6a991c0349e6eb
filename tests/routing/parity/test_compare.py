"""What is a difference between two answers, and what is none."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.config import ParityRules
from routing.parity.compare import MAX_DIFFERENCES, Answer, NotCompared, compare
from routing.parity.difference import Difference
from routing.parity.rules import Rules

LIMIT = 10_000
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}
Found = set[tuple[str, str]]


def run(old: Answer, new: Answer, **rules: Any) -> list[Difference] | NotCompared:
    work = compare(old, new, Rules(ParityRules(**rules)), ("content-type",), LIMIT)
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: list[Difference] | NotCompared = end.value
            return found


def answer(
    body: object, fields: dict[str, str] = JSON, status: int = 200, complete: bool = True
) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, fields, data, complete)


def found(old: Answer, new: Answer, **rules: Any) -> Found:
    differences = run(old, new, **rules)
    assert not isinstance(differences, NotCompared), differences
    return {(each.path, str(each.kind)) for each in differences}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, set(), id="equal"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, set(), id="order-of-members"),
        pytest.param({"a": 1}, {"a": 1.0}, set(), id="one-number"),
        pytest.param({"a": 1}, {"a": True}, {("body.a", "type")}, id="true-is-no-number"),
        pytest.param({"a": 1}, {"a": "1"}, {("body.a", "type")}, id="type"),
        pytest.param({"a": None}, {}, {("body.a", "missing")}, id="null-is-not-missing"),
        pytest.param({}, {"a": {"b": 1}}, {("body.a", "extra")}, id="extra"),
        pytest.param([1, 2], [1], {("body", "length")}, id="length"),
        pytest.param(
            {"items": [{"n": 1}, {"n": 2}]},
            {"items": [{"n": 5}, {"n": 6}]},
            {("body.items[].n", "value")},
            id="indices-are-one-group",
        ),
        pytest.param(
            {"by": {"17": 1, "anna@example.org": 1}},
            {"by": {"17": 2, "anna@example.org": 2}},
            {("body.by.*", "value")},
            id="names-that-are-data",
        ),
        pytest.param("a", ["a"], {("body", "type")}, id="root"),
    ],
)
def test_documents(old: object, new: object, expected: Found) -> None:
    assert found(answer(old), answer(new)) == expected


def rule(path: str, kind: str, **more: object) -> dict[str, object]:
    return {"rules": [{"path": path, "kind": kind, **more}]}


TIMES = ("2026-01-01T10:00:00Z", "2026-01-01T11:00:03+01:00")


@pytest.mark.parametrize(
    ("old", "new", "rules", "same"),
    [
        pytest.param({"a": 1}, {"a": 2}, {"ignore": ["body.a"]}, True, id="ignored"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, {"ignore": ["body.a"]}, True, id="below"),
        pytest.param({"ab": 1}, {"ab": 2}, {"ignore": ["body.a"]}, False, id="other-name"),
        pytest.param(
            {"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"ignore": ["body.*[].b"]}, True, id="*"
        ),
        pytest.param(
            {"a": {"c": {"b": 1}}}, {"a": {"c": {"b": 2}}}, {"ignore": ["**.b"]}, True, id="**"
        ),
        pytest.param(
            {"a": 1.0}, {"a": 1.05}, rule("body.a", "tolerance", tolerance=0.1), True, id="near"
        ),
        pytest.param(
            {"a": 1.0}, {"a": 1.2}, rule("body.a", "tolerance", tolerance=0.1), False, id="far"
        ),
        pytest.param(
            {"a": TIMES[0]}, {"a": "2020-02-02"}, rule("body.a", "timestamp"), True, id="times"
        ),
        pytest.param(
            {"a": TIMES[0]}, {"a": "never"}, rule("body.a", "timestamp"), False, id="no-time"
        ),
        pytest.param(
            {"a": TIMES[0]},
            {"a": TIMES[1]},
            rule("body.a", "timestamp", tolerance=5),
            True,
            id="soon",
        ),
        pytest.param(
            {"a": TIMES[0]},
            {"a": TIMES[1]},
            rule("body.a", "timestamp", tolerance=2),
            False,
            id="late",
        ),
        pytest.param({"a": "x1"}, {"a": "y2"}, rule("body.a", "id"), True, id="ids"),
        pytest.param({"a": "x1"}, {"a": ""}, rule("body.a", "id"), False, id="no-id"),
        pytest.param(
            {"a": "/v1/x"},
            {"a": "/v2/x"},
            rule("body.a", "regex", pattern=r"/v\d"),
            True,
            id="regex",
        ),
        pytest.param([1, 2, 2], [2, 1, 2], rule("body", "unordered"), True, id="unordered"),
        pytest.param([1, 2, 2], [2, 1, 1], rule("body", "unordered"), False, id="unordered-twice"),
    ],
)
def test_rules(old: object, new: object, rules: dict[str, Any], same: bool) -> None:
    assert (found(answer(old), answer(new), **rules) == set()) is same


def test_of_lists_without_order_only_what_is_left_over_differs() -> None:
    old, new = ({"n": n, "id": f"x{n}"} for n in (1, 2))
    third = {"n": 3, "id": "x3"}
    rules = [{"path": "body", "kind": "unordered"}, {"path": "body[].id", "kind": "id"}]
    assert found(answer([old, third]), answer([third, new]), rules=rules) == {("body[].n", "value")}


def page(body: str) -> Answer:
    return answer(f"<!doctype html><html><body>{body}</body></html>".encode(), HTML)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("<p>a  b</p>", "<p>a\n b</p>\n", set(), id="space"),
        pytest.param("<p>&amp;</p>", "<p>&#38;</p>", set(), id="references"),
        pytest.param("<p class=a>x</p>", "<p class=b>x</p>", set(), id="attributes"),
        pytest.param("<script>1</script>", "<script>2</script>", set(), id="scripts"),
        pytest.param("<!-- 1 -->x", "x", set(), id="comments"),
        pytest.param("<p>a</p>", "<p>b</p>", {("body.html.body.p", "value")}, id="text"),
        pytest.param("<br>a", "<br>a<br>", {("body.html.body.br", "length")}, id="void"),
        pytest.param(
            "<ul><li>a<li>b</ul>", "<ul><li>a</ul>",
            {("body.html.body.ul.li", "length"), ("body.html.body.ul.li", "value")},
            id="elements",
        ),
    ],
)  # fmt: skip
def test_pages(old: str, new: str, expected: Found) -> None:
    assert found(page(old), page(new)) == expected


def test_rules_for_texts_and_fields() -> None:
    old, new = page(f"<p>{TIMES[0]}</p>"), page(f"<p>{TIMES[1]}</p>")
    soon = rule("body.html.body.p", "timestamp", tolerance=5)
    assert found(old, new) != set()
    assert found(old, new, **soon) == set()
    assert (
        found(page("<p>a</p><p>b</p>"), page("<p>b</p><p>a</p>"), **rule("**.p", "unordered"))
        == set()
    )
    other = answer([1], {"content-type": "application/vnd.a+json"})
    kind = rule("headers.content-type", "regex", pattern=r"vnd\.a\+")
    assert found(answer([1]), other, **kind) == set()


def test_a_page_with_an_endless_tag_is_not_compared() -> None:
    limit = "<a " + "b " * 4900
    assert run(page(limit + "1"), page(limit + "2")) in (NotCompared.UNREADABLE, [])
    assert run(page("<![" + "1"), page("<![" + "2")) == NotCompared.UNREADABLE
    assert run(page("<b>" * 3000), page("<b>" * 2999)) != NotCompared.UNREADABLE


GZIP = {**JSON, "content-encoding": "gzip"}
BROTLI = {**JSON, "content-encoding": "br"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(answer([1]), answer(gzip.compress(b"[1]"), GZIP), [], id="gzip"),
        pytest.param(
            answer([1]),
            answer(zlib.compress(b"[1]"), {**JSON, "content-encoding": "deflate"}),
            [], id="deflate",
        ),
        pytest.param(
            answer([1]),
            answer(zlib.compress(b"[1]", wbits=-15), {**JSON, "content-encoding": "deflate"}),
            [], id="raw-deflate",
        ),
        pytest.param(answer(b"x", BROTLI), answer(b"x", BROTLI), [], id="same-brotli"),
        pytest.param(answer(b"x", BROTLI), answer(b"y", BROTLI), "unreadable", id="brotli"),
        pytest.param(answer(b"x", GZIP), answer(b"y", GZIP), "unreadable", id="broken"),
        pytest.param(
            answer([1]), answer(gzip.compress(b" " * 1_000_000), GZIP), "too_large", id="bomb"
        ),
        pytest.param(
            answer(b"a" * 10_001), answer(b"a" * 10_001), "too_large", id="beyond-the-limit"
        ),
        pytest.param(answer([1]), answer([1], complete=False), "incomplete", id="broke-off"),
        pytest.param(answer([1]), answer(b"", status=304), "conditional", id="not-modified"),
    ],
)  # fmt: skip
def test_content(old: Answer, new: Answer, expected: object) -> None:
    assert run(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(answer([1], status=404), answer([1]), {("status", "value")}, id="status"),
        pytest.param(
            answer(b"a", {"content-type": "text/plain;charset=UTF-8"}),
            answer(b"a", {"content-type": "text/plain; charset=utf-8"}),
            set(), id="media-type-spelled-otherwise",
        ),
        pytest.param(
            answer([1]), answer([1], {}), {("headers.content-type", "missing")}, id="no-field"
        ),
        pytest.param(answer(b"{"), answer(b"["), {("body", "value")}, id="no-documents"),
        pytest.param(
            answer(b"x" * 20_000, status=500), answer([1]), {("status", "value")},
            id="too-large-and-another-status",
        ),
    ],
)  # fmt: skip
def test_heads(old: Answer, new: Answer, expected: Found) -> None:
    assert found(old, new) == expected


def test_the_number_of_differences_is_bounded() -> None:
    names = [f"{a}{b}" for a in "abcdefghij" for b in "abcdefghij"]
    old, new = (dict.fromkeys(names, value) for value in (1, 2))
    differences = found(answer(old), answer(new))
    assert len(differences) == MAX_DIFFERENCES + 1
    assert ("body", "other") in differences


def test_deep_documents_are_no_trouble() -> None:
    deep = b"[" * 400 + b"%d" + b"]" * 400
    assert found(answer(deep % 1), answer(deep % 2))
    endless = b"[" * 4000 + b"%d" + b"]" * 4000
    assert found(answer(endless % 1), answer(endless % 2)) == {("body", "value")}


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(DOCUMENTS, DOCUMENTS)
def test_different_documents_differ_and_equal_ones_do_not(old: Any, new: Any) -> None:
    assert found(answer(old), answer(old)) == set()
    there, back = found(answer(old), answer(new)), found(answer(new), answer(old))
    turned = {"missing": "extra", "extra": "missing"}
    assert {(path, turned.get(kind, kind)) for path, kind in there} == back
    assert bool(there) == (normal(old) != normal(new))


def normal(value: Any) -> Any:
    """Apart from Python's own idea that true is 1."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        return [normal(each) for each in value]
    if isinstance(value, dict):
        return {key: normal(each) for key, each in value.items()}
    return value


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from([JSON, HTML, GZIP]))
def test_nothing_that_an_origin_says_breaks_it(old: bytes, new: bytes, fields: Any) -> None:
    run(answer(old, fields), answer(new, fields))
