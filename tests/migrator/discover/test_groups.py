"""Templates become capabilities."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.discover.groups import group, is_aside, name


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("/", "home"),
        ("/{id}", "home"),
        ("/api", "api"),
        ("/articles/{id}", "articles"),
        ("/api/v1/article", "articles"),
        ("/api/articles/{id}/comments", "comments"),
        ("/api/articles/{id}/publish", "articles"),
        ("/comments/{id}", "comments"),
        ("/categories", "categories"),
        ("/api/category/{id}", "categories"),
        ("/tagged", "reading-lists"),
        ("/Some_Thing", "some-thing"),
        ("/billing-service-service/{id}", "billing"),
        ("/proxy", "group-proxy"),
        ("/3d", "group-3d"),
    ],
)
def test_group(template: str, expected: str) -> None:
    others = ["/articles/{id}", "/comments/{id}", "/categories"]
    found = group([*others, template], {"/tagged": "Reading lists"})
    assert found[template] == expected


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_names_are_dns_labels(text: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name(text))
    assert len(name(text)) <= 40


@pytest.mark.parametrize(
    ("path", "aside"),
    [("/static/app.3f2a.JS", True), ("/favicon.ico", True), ("/healthz", True), ("/", False),
     ("/articles/7", False), ("/report.pdf", False), ("/api/health/records", False)],
)  # fmt: skip
def test_aside(path: str, aside: bool) -> None:
    assert is_aside(path) is aside
