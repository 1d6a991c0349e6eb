"""Differences between plans, in effect and not in spelling."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.plan.diff import Change, diff
from migrator.plan.load import parse
from migrator.plan.model import Migration

Change1 = tuple[str, str]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            ("cms}", "blog}"), Change("metadata.name", "changed", "cms", "blog"), id="changed"
        ),
        pytest.param(
            ("  services:\n", "  secrets: [KEY]\n  services:\n"),
            Change("spec.secrets[0]", "added", None, "KEY"),
            id="added-item",
        ),
        pytest.param(
            ('        - {path: "/articles", methods: [POST], service: articles}\n', ""),
            Change(
                "spec.capabilities.publishing.routes[1]",
                "removed",
                {
                    "path": "/articles",
                    "methods": ["POST"],
                    "service": "articles",
                    "mirror_reads": True,
                    "second_writes": True,
                },
                None,
            ),
            id="removed-item",
        ),
        pytest.param(
            ("    publishing:\n", "    publishing:\n      schedule: fast\n"),
            Change("spec.capabilities.publishing.schedule", "changed", "standard", "fast"),
            id="changed-default",
        ),
        pytest.param(
            (", methods: [GET]", ""),
            Change("spec.capabilities.publishing.routes[0].methods", "changed", ["GET"], None),
            id="list-to-nothing",
        ),
    ],
)
def test_change(plan_with: Callable[..., Migration], change: Change1, expected: Change) -> None:
    assert diff(plan_with(), plan_with(change)) == (expected,)


def test_removed_and_added_keys(plan_with: Callable[..., Migration]) -> None:
    changes = diff(plan_with(), plan_with(("    images:", "    pictures:")))
    assert [(c.path, c.kind) for c in changes] == [
        ("spec.services.images", "removed"),
        ("spec.services.pictures", "added"),
    ]


def test_a_written_default_is_no_difference(plan_with: Callable[..., Migration]) -> None:
    explicit = plan_with(("  monolith:\n", "  flags: {port: 8765}\n  proxy: {}\n  monolith:\n"))
    assert diff(plan_with(), explicit) == ()


def test_a_secret_is_compared_and_not_shown(plan_with: Callable[..., Migration]) -> None:
    def with_key(key: str) -> Migration:
        line = '        - {path: "/articles", methods: [POST], service: articles'
        return plan_with((line, f"{line}, request_headers: {{set: {{X-Api-Key: {key}}}}}"))

    (change,) = diff(with_key("abc"), with_key("xyz"))
    assert change == Change(
        "spec.capabilities.publishing.routes[1].request_headers.set.X-Api-Key",
        *("changed", "REDACTED", "REDACTED"),
    )


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=20, deadline=None)
@given(st.data())
def test_mirror(plan_documents: st.SearchStrategy[dict[str, Any]], data: st.DataObject) -> None:
    """None from a plan to itself; the way back has the same places with old and new swapped."""
    one, two = (parse(yaml.safe_dump(data.draw(plan_documents)), "p.yaml") for _ in range(2))
    assert diff(one, one) == ()
    back = {"added": "removed", "removed": "added", "changed": "changed"}
    there = {(c.path, c.kind, repr(c.old), repr(c.new)) for c in diff(one, two)}
    assert there == {(c.path, back[c.kind], repr(c.new), repr(c.old)) for c in diff(two, one)}
    assert bool(there) == (one != two)
