"""Which segments vary: in any order of the paths, and every path has exactly one template."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.discover.shapes import PARAMETER, Shape, shape
from migrator.discover.templates import MAX_DEPTH, MAX_NODES, MAX_WORDS, PathTree, Router

UUID = "123e4567-e89b-12d3-a456-426614174000"
SEGMENTS = st.one_of(
    st.sampled_from(["api", "v1", "articles", "users", "new", "me", "a-b-c", "index.html"]),
    st.sampled_from(["7", UUID, "deadbeef01", "user-001", "2025-10-31", "é", "*", "{id}", ".."]),
    st.from_regex(r"[a-c]{1,3}", fullmatch=True),
    st.from_regex(r"[ab]-[ab]-[a-d]", fullmatch=True),
)  # fmt: skip
PATHS = st.lists(
    st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts)), max_size=120
)


def infer(paths: list[str]) -> tuple[str, ...]:
    tree = PathTree()
    for path in paths:
        assert tree.add(path)
    return tree.templates()


@settings(max_examples=60)
@given(PATHS, st.randoms(use_true_random=False))
def test_order_makes_no_difference(paths: list[str], dice: random.Random) -> None:
    shuffled = list(paths)
    dice.shuffle(shuffled)
    assert infer(shuffled) == infer(paths)


@settings(max_examples=60)
@given(PATHS)
def test_templates_are_their_own_templates(paths: list[str]) -> None:
    templates = infer(paths)
    assert infer(list(templates)) == templates


@settings(max_examples=60)
@given(PATHS)
def test_every_path_has_exactly_one(paths: list[str]) -> None:
    templates = infer(paths)
    router = Router(templates)
    shapes = [re.sub(r"\{[^}]*\}", "{}", template) for template in templates]
    assert len(set(shapes)) == len(shapes)
    matched = {router.match(path) for path in paths}
    assert None not in matched
    assert matched == set(templates)


@pytest.mark.parametrize(
    ("paths", "templates"),
    [
        pytest.param(["/", "//"], ["/"], id="root"),
        pytest.param(["/a/", "/a"], ["/a"], id="trailing-slash"),
        pytest.param(["/articles/1", "/articles/2"], ["/articles/{id}"], id="numbers"),
        pytest.param([f"/a/{UUID}/b"], ["/a/{id}/b"], id="uuid"),
        pytest.param(["/c/3f2a1b9c", "/c/" + "ab" * 20], ["/c/{id}"], id="hashes"),
        pytest.param(["/d/2025-10-31"], ["/d/{date}"], id="date"),
        pytest.param(["/a/1", "/a/new"], ["/a/new", "/a/{id}"], id="word-beside-a-value"),
        pytest.param(["/a/1/b/2"], ["/a/{id}/b/{id2}"], id="two-parameters"),
        pytest.param(["/v1/a", "/v2/a"], ["/v1/a", "/v2/a"], id="versions"),
        pytest.param(
            [f"/p/a-title-{word}" for word in "one two three four five".split()],
            ["/p/{slug}"],
            id="slugs",
        ),
        pytest.param(["/p/how-to-start"], ["/p/how-to-start"], id="one-slug"),
        pytest.param(
            [f"/t/{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(MAX_WORDS + 1)],
            ["/t/{name}"],
            id="very-many-words",
        ),
        pytest.param(["/users/ann", "/users/me"], ["/users/me", "/users/{name}"], id="people"),
        pytest.param(["/reset/abcdefghij"], ["/reset/{name}"], id="after-a-secrets-word"),
        pytest.param(["/" + "a/" * 12], ["/" + "a/" * MAX_DEPTH + "*"], id="very-deep"),
    ],
)
def test_examples(paths: list[str], templates: list[str]) -> None:
    assert infer(paths) == tuple(templates)


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "ann@example.org", "ann%40example.org",
        "01J9Z3K4M5N6P7Q8R9S0T1V2W3", "dGhpcyBpcyBhIHNlY3JldA==", "user-001",
        "sk_live_4eC39HqLyjWD", "+4912345", "aBcDeFgHiJkLmN", "a" * 25, "..", "\u202e", "a;b=c",
    ],
)  # fmt: skip
def test_values_are_never_words(secret: str) -> None:
    assert shape(secret, "x")[0] is Shape.VALUE


@pytest.mark.parametrize(
    "word", ["articles", "sign-in", "v1", "index.html", "getUserAccount", "oauth2", "API", "a_b"]
)
def test_words(word: str) -> None:
    assert shape(word, "")[0] in (Shape.WORD, Shape.FIXED)


def test_names_of_users_are_hidden() -> None:
    tree = PathTree()
    for path in ("/blog/ann/posts", "/blog/bob/posts", "/blog/admin/posts", "/blog/top/posts"):
        tree.add(path)
    tree.hide({"Ann", "bob", "admin"})
    assert tree.templates() == ("/blog/admin/posts", "/blog/top/posts", "/blog/{name}/posts")


def test_bounded() -> None:
    tree = PathTree()
    letters = "abcdefghijklmnopqrstuvwxyz"
    learned = [tree.add(f"/{a}/{b}/{c}/{d}") for a in letters for b in letters
               for c in letters for d in "xy"]  # fmt: skip
    assert not all(learned)
    assert len(tree.templates()) <= MAX_NODES


def test_the_most_specific_wins() -> None:
    router = Router(["/a/{id}", "/a/new", "/a/new/{x}", "/a/{id}/b", "/{y}", "/c/*", "/{z}"])
    expected = {
        "/a/new": "/a/new",
        "/a/1": "/a/{id}",
        "/a/new/b": "/a/new/{x}",
        "/q": "/{y}",
        "/c/d/e": "/c/*",
        "/c": "/{y}",
        "/a/1/c": None,
    }
    assert {path: router.match(path) for path in expected} == expected


def test_parameters_of_a_plan() -> None:
    assert PARAMETER.fullmatch("{id}")
    assert not PARAMETER.fullmatch("{a}-{b}")
