"""Which route a request belongs to."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.config import Capability, RouteRule
from routing.errors import InvalidConfig
from routing.paths import normalise
from routing.table import Route, RouteTable


def table(*paths: str, methods: tuple[str, ...] | None = None) -> RouteTable:
    return RouteTable(
        {
            f"c{number}": Capability(
                flag="f", routes=(RouteRule(path=path, service="s", methods=methods),)
            )
            for number, path in enumerate(paths)
        }
    )


def found(table: RouteTable, path: str, method: str = "GET") -> str | None:
    route = table.match(method.encode(), path.encode())
    return route.path if route else None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/articles", "/articles"),
        ("/articles/", "/articles/*"),
        ("/articles/new", "/articles/new"),
        ("/articles/7", "/articles/{id}"),
        ("/articles/7/comments", "/articles/{id}/comments"),
        ("/articles/7/8", "/articles/*"),
        ("/articles/new/comments", "/articles/{id}/comments"),
        ("/%61rticles/7", "/articles/{id}"),
        ("/other/../articles/7", "/articles/{id}"),
        ("/articles/./7", "/articles/{id}"),
        ("/Articles/7", None),
        ("/", None),
    ],
)
def test_the_most_specific_wins(path: str, expected: str | None) -> None:
    routes = ["/articles", "/articles/*", "/articles/new", "/articles/{id}"]
    routes.append("/articles/{id}/comments")
    for seed in range(5):
        random.Random(seed).shuffle(routes)  # noqa: S311 - any order
        assert found(table(*routes), path) == expected


SEGMENTS = st.sampled_from(["a", "b", "{x}"])
TEMPLATES = st.lists(SEGMENTS, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from(["/" + "/".join(parts), "/" + "/".join([*parts, "*"])])
)
PATHS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


def rank(template: str, path: str) -> list[int] | None:
    """Oracle: how specific the match is, segment by segment; None: no match."""
    wanted, given_ = template.split("/")[1:], path.split("/")[1:]
    ranks: list[int] = []
    for position, part in enumerate(wanted):
        if position >= len(given_):
            return None
        if part == "*":
            return [*ranks, 2]
        if part.startswith("{"):
            ranks.append(1)
        elif part == given_[position]:
            ranks.append(0)
        else:
            return None
    return ranks if len(wanted) == len(given_) else None


@given(st.sets(TEMPLATES, min_size=1, max_size=8), PATHS)
def test_agrees_with_brute_force(templates: set[str], path: str) -> None:
    ranked = [(r, t) for t in templates if (r := rank(t, path)) is not None]
    assert found(table(*sorted(templates)), path) == (min(ranked)[1] if ranked else None)


def test_methods() -> None:
    routes = RouteTable(
        {
            "read": Capability(
                flag="f", routes=(RouteRule(path="/x", methods=("GET",), service="a"),)
            ),
            "rest": Capability(flag="f", routes=(RouteRule(path="/x", service="b"),)),
        }
    )

    def service(method: str) -> str | None:
        route = routes.match(method.encode(), b"/x")
        return route.service if route else None

    assert [service(m) for m in ("GET", "HEAD", "POST")] == ["a", "a", "b"]


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(("/a/{x}", "/a/{y}"), id="two-names-for-one"),
        pytest.param(("/a", "/%61"), id="same-after-decoding"),
        pytest.param(("a",), id="no-slash"),
        pytest.param(("/a/*/b",), id="asterisk-in-the-middle"),
        pytest.param(("/a{x}",), id="part-of-a-segment"),
        pytest.param(("/a/../b",), id="dots"),
        pytest.param(("/a b",), id="space"),
    ],
)
def test_bad_tables(paths: tuple[str, ...]) -> None:
    with pytest.raises(InvalidConfig):
        table(*paths)


@given(st.text("/.a%2E2f", max_size=20))
def test_normalising_twice_changes_nothing(path: str) -> None:
    once = normalise(b"/" + path.encode())
    assert normalise(once) == once or b"%" in once


def test_a_route_tells_what_it_is() -> None:
    route = Route("publishing", "f", "s", "/x", ("GET", "PUT"), None)
    assert str(route) == "publishing: GET PUT /x"
