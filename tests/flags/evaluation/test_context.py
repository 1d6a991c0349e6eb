"""Reading contexts, and what can be asked of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldclient.context import Context as SdkContext

from evaluation_builders import a_context, several
from flags.errors import Rejected
from flags.evaluation import Context
from flags.evaluation.context import MAX_BYTES, MAX_DEPTH
from flags.evaluation.malformed import Malformed
from flags.evaluation.reference import parse

USER = {"kind": "user", "key": "user-42"}


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("document", "canonical_key", "kinds"),
    [
        pytest.param(USER, "user-42", ("user",), id="user"),
        pytest.param({"kind": "user", "key": "a:%"}, "a:%", ("user",), id="user-is-not-escaped"),
        pytest.param({"kind": "org", "key": "a:%"}, "org:a%3A%25", ("org",), id="other-kind"),
        pytest.param(
            {"kind": "multi", "user": {"key": "u"}, "org": {"key": "a:b"}},
            "org:a%3Ab:user:u",
            ("org", "user"),
            id="several-in-the-order-of-kinds",
        ),
        pytest.param({"kind": "multi", "user": {"key": "u"}}, "u", ("user",), id="one-of-several"),
        pytest.param({"key": "u"}, "u", ("user",), id="legacy"),
        pytest.param({"kind": None, "key": "u"}, "u", ("user",), id="kind-null-is-legacy"),
        pytest.param({"key": ""}, "", ("user",), id="legacy-key-may-be-empty"),
    ],
)
def test_parse(document: dict[str, Any], canonical_key: str, kinds: tuple[str, ...]) -> None:
    context = Context.parse(document)
    assert (context.canonical_key, context.kinds) == (canonical_key, kinds)
    assert Context.loads(json.dumps(document)) == context
    assert Context.loads(json.dumps(document).encode()) == context


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param(None, "context: expected an object", id="null"),
        pytest.param([USER], "context: expected an object", id="list"),
        pytest.param({}, "context.key: expected a text", id="nothing"),
        pytest.param({"kind": "user"}, "context.key: expected a text", id="no-key"),
        pytest.param({"kind": "user", "key": ""}, "context.key: expected a text", id="empty-key"),
        pytest.param({"kind": "user", "key": 1}, "context.key: expected a text", id="number-key"),
        pytest.param({"key": 1}, "context.key: expected a text", id="legacy-number-key"),
        pytest.param({"kind": "", "key": "a"}, "context.kind: expected letters", id="empty-kind"),
        pytest.param({"kind": "kind", "key": "a"}, "context.kind: expected", id="kind-kind"),
        pytest.param({"kind": "a b", "key": "a"}, "context.kind: expected", id="kind-with-space"),
        pytest.param({"kind": "ä", "key": "a"}, "context.kind: expected", id="kind-not-ascii"),
        pytest.param({"kind": "a\n", "key": "a"}, "context.kind: expected", id="kind-with-line"),
        pytest.param({"kind": ["user"], "key": "a"}, "context.kind: expected", id="kind-list"),
        pytest.param({**USER, "name": 1}, "context.name: expected a text", id="name"),
        pytest.param({**USER, "anonymous": None}, "context.anonymous: expected true", id="null"),
        pytest.param({**USER, "anonymous": 1}, "context.anonymous: expected true", id="anonymous"),
        pytest.param({**USER, "": 1}, "context: an attribute has no name", id="no-name"),
        pytest.param({**USER, "_meta": []}, "context._meta: expected an object", id="meta"),
        pytest.param(
            {**USER, "_meta": {"privateAttributes": ["a", 1]}},
            "context._meta.privateAttributes: expected a list of texts",
            id="private",
        ),
        pytest.param({"kind": "multi"}, "context: a context of kind multi has at", id="no-kinds"),
        pytest.param({"kind": "multi", "user": 1}, "context.user: expected an object", id="inner"),
        pytest.param(
            {"kind": "multi", "user": {"name": "x"}}, "context.user.key: expected", id="inner-key"
        ),
        pytest.param(
            {"kind": "multi", "multi": {"key": "x"}}, "context.multi.kind: expected", id="in-multi"
        ),
        pytest.param(
            {"kind": "multi", "user": {"key": "x", "kind": "org"}},
            "context.user.kind: differs",
            id="two-kinds",
        ),
        pytest.param({**USER, "x": float("inf")}, "context: has a value that", id="infinity"),
        pytest.param({**USER, "x": "\ud800"}, "context: has a value that", id="lone-surrogate"),
        pytest.param({**USER, "x": {1, 2}}, "context: has a value that", id="not-json"),
        pytest.param({**USER, "x": "x" * MAX_BYTES}, f"at most {MAX_BYTES}", id="too-long"),
        pytest.param({**USER, "x": deep(MAX_DEPTH)}, f"more than {MAX_DEPTH} deep", id="deep"),
        pytest.param({**USER, "x": deep(100_000)}, f"more than {MAX_DEPTH} deep", id="very-deep"),
    ],
)
def test_refused(document: Any, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        Context.parse(document)
    assert message in str(caught.value)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "context: expected JSON", id="empty"),
        pytest.param(b"\xff", "context: expected JSON", id="not-utf-8"),
        pytest.param('{"kind":"user","key":"a","x":NaN}', "has a value that is not", id="nan"),
        pytest.param('{"kind":"user","key":"a","x":1e999}', "has a value that is not", id="1e999"),
        pytest.param("[" * 100_000, "context: expected JSON", id="deep"),
        pytest.param('{"x":' + "1" * 5000 + "}", "context: expected JSON", id="long-number"),
        pytest.param(" " * (MAX_BYTES + 1), f"expected at most {MAX_BYTES}", id="too-long"),
    ],
)
def test_refused_text(text: str | bytes, message: str) -> None:
    with pytest.raises(Rejected, match=message):
        Context.loads(text)


def test_deepest() -> None:
    assert Context.parse({**USER, "x": deep(MAX_DEPTH - 1)}).key("user") == "user-42"


def test_key() -> None:
    context = several(user={"key": "u"}, org={"key": "o"})
    assert (context.key("user"), context.key("org"), context.key("device")) == ("u", "o", None)
    assert context.get("device") is None
    assert [one.key for one in context] == ["o", "u"]


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        pytest.param("key", "user-42", id="key"),
        pytest.param("kind", "user", id="kind"),
        pytest.param("name", "Ann", id="name"),
        pytest.param("anonymous", True, id="anonymous"),
        pytest.param("/name", "Ann", id="name-by-pointer"),
        pytest.param("plan", "trial", id="attribute"),
        pytest.param("/address/city", "Oslo", id="nested"),
        pytest.param("/address", {"city": "Oslo", "a/b": 1}, id="object"),
        pytest.param("/address/a~1b", 1, id="escaped"),
        pytest.param("missing", None, id="missing"),
        pytest.param("nothing", None, id="null"),
        pytest.param("/address/zip", None, id="missing-inside"),
        pytest.param("/plan/x", None, id="inside-a-text"),
        pytest.param("/list/0", None, id="inside-a-list"),
        pytest.param("_meta", None, id="meta-is-no-attribute"),
    ],
)
def test_value(reference: str, value: Any) -> None:
    context = a_context(
        name="Ann",
        anonymous=True,
        plan="trial",
        address={"city": "Oslo", "a/b": 1},
        nothing=None,
        list=["a"],
        _meta={"privateAttributes": ["plan"]},
    )
    individual = context.get("user")
    assert individual is not None
    assert individual.value(parse(reference)) == value


def test_anonymous_is_false_unless_said() -> None:
    individual = a_context().get("user")
    assert individual is not None
    assert individual.value(parse("anonymous")) is False


def test_value_of_a_bad_reference() -> None:
    individual = a_context().get("user")
    assert individual is not None
    with pytest.raises(Malformed, match="two slashes"):
        individual.value(parse("/a//b"))


@pytest.mark.parametrize(
    ("user", "context"),
    [
        pytest.param(
            {"key": "u", "custom": {"plan": "trial"}, "email": "a@b.c"},
            {"kind": "user", "key": "u", "plan": "trial", "email": "a@b.c"},
            id="custom",
        ),
        pytest.param(
            {"key": "u", "name": None, "anonymous": None, "custom": None},
            {"kind": "user", "key": "u"},
            id="nulls",
        ),
        pytest.param(
            {"key": "u", "name": "Ann", "custom": {"key": "x", "kind": "org", "name": "Bob"}},
            {"kind": "user", "key": "u", "name": "Ann"},
            id="custom-never-replaces",
        ),
        pytest.param(
            {"key": "u", "anonymous": True, "privateAttributeNames": ["email"]},
            {
                "kind": "user",
                "key": "u",
                "anonymous": True,
                "_meta": {"privateAttributes": ["email"]},
            },
            id="private",
        ),
    ],
)
def test_legacy(user: dict[str, Any], context: dict[str, Any]) -> None:
    assert Context.parse(user).to_json() == context


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(USER, id="least"),
        pytest.param({**USER, "name": "Ann", "anonymous": True, "a": [{"b": 1}]}, id="attributes"),
        pytest.param({**USER, "_meta": {"privateAttributes": ["/a/b"]}}, id="private"),
        pytest.param({"kind": "multi", "org": {"key": "o"}, "user": {"key": "u"}}, id="several"),
    ],
)
def test_to_json(document: dict[str, Any]) -> None:
    assert Context.parse(document).to_json() == document


def test_nulls_are_dropped() -> None:
    assert Context.parse({**USER, "name": None, "plan": None, "_meta": None}).to_json() == USER


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
INDIVIDUALS = st.fixed_dictionaries(
    {},
    optional={
        "key": st.text(max_size=2) | st.integers(),
        "name": VALUES,
        "anonymous": st.booleans() | VALUES,
        "_meta": st.none() | st.fixed_dictionaries({"privateAttributes": VALUES}) | VALUES,
        "plan": VALUES,
        "": VALUES,
    },
)
KINDS = st.sampled_from(["user", "org", "kind", "multi", "", "a b", "A.-_9"])
SINGLE = st.builds(lambda kind, one: {**one, "kind": kind}, KINDS, INDIVIDUALS)
SEVERAL = st.dictionaries(KINDS, INDIVIDUALS | VALUES, max_size=3).map(
    lambda kinds: {**kinds, "kind": "multi"}
)


@given(SINGLE | SEVERAL)
def test_the_sdk_takes_the_same_contexts(document: dict[str, Any]) -> None:
    theirs = SdkContext.from_dict(document)
    try:
        ours = Context.parse(document)
    except Rejected:
        assert not theirs.valid
    else:
        assert theirs.valid
        assert ours.canonical_key == theirs.fully_qualified_key
