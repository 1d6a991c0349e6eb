"""The audit log: its order, its filters, its phrases."""

from typing import Any

import pytest

from flag_builders import (
    ALICE,
    BOB,
    OFF,
    ON,
    PRODUCTION,
    a_boolean,
    a_segment,
    a_staged,
)
from flags.errors import NotFound
from flags.store import Store, audit

KEY = a_boolean().key


@pytest.fixture
def history(store: Store) -> Store:
    """Seven entries, the first of them the project."""
    store.flags.create("cms", a_boolean(), ALICE, "first try")
    store.flags.create("cms", a_staged(), ALICE)
    for environment, instruction in ((PRODUCTION, ON), ("staging", ON), (PRODUCTION, OFF)):
        store.flags.patch("cms", KEY, [instruction], BOB, environment=environment, comment="100 %")
    store.segments.create("cms", PRODUCTION, a_segment(), ALICE)
    return store


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param({}, [7, 6, 5, 4, 3, 2, 1], id="newest-first"),
        pytest.param({"project": "cms"}, [7, 6, 5, 4, 3, 2, 1], id="project"),
        pytest.param({"project": "shop"}, [], id="other-project"),
        pytest.param({"kind": "flag"}, [6, 5, 4, 3, 2], id="kind"),
        pytest.param({"kind": "flag", "key": KEY}, [6, 5, 4, 2], id="flag"),
        pytest.param({"kind": "segment", "key": KEY}, [], id="key-of-another-kind"),
        pytest.param({"kind": "flag", "key": "nope"}, [], id="unknown"),
        pytest.param({"environment": "staging"}, [5, 3, 2, 1], id="environment-and-shared"),
        pytest.param({"environment": PRODUCTION}, [7, 6, 4, 3, 2, 1], id="other-environment"),
        pytest.param({"limit": 2}, [7, 6], id="page"),
        pytest.param({"limit": 2, "offset": 2}, [5, 4], id="next-page"),
        pytest.param({"limit": 0}, [], id="nothing"),
        pytest.param({"words": "turned"}, [6, 5, 4], id="title"),
        pytest.param({"words": "TURNED OFF"}, [6], id="every-word-in-any-case"),
        pytest.param({"words": "first"}, [2], id="comment"),
        pytest.param({"words": "bob"}, [6, 5, 4], id="member"),
        pytest.param({"words": "100 %"}, [6, 5, 4], id="percent-is-no-wildcard"),
        pytest.param({"words": "_"}, [], id="underline-is-no-wildcard"),
        pytest.param({"words": "\\"}, [], id="backslash"),
        pytest.param({"words": "beta"}, [7], id="key"),
    ],
)
def test_filters(history: Store, filters: dict[str, Any], expected: list[int]) -> None:
    assert [e.id for e in history.audit(**filters)] == expected


def test_dates(history: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """`before` and `after` are exclusive, as in LaunchDarkly's API."""
    first = history.audit()[0].date
    for later in (1_000, 2_000, 3_000):
        monkeypatch.setattr(audit, "now_ms", lambda later=later: first + later)
        instruction = OFF if later == 2_000 else ON
        history.flags.patch("cms", KEY, [instruction], ALICE, environment=PRODUCTION)
    assert [e.date - first for e in history.audit(after=first)] == [3_000, 2_000, 1_000]
    between = history.audit(after=first + 1_000, before=first + 3_000)
    assert [e.date - first for e in between] == [2_000]


def test_one_entry(history: Store) -> None:
    entry = history.entry(2)
    assert (entry.title, entry.comment, entry.member, entry.via) == (
        f"created {KEY}", "first try", "alice", "api",
    )  # fmt: skip
    assert (entry.before, entry.after) == (None, a_boolean().model_dump_json())
    assert history.audit(kind="flag", key=KEY)[-1] == entry
    with pytest.raises(NotFound, match="audit entry 99 does not exist"):
        history.entry(99)


def test_a_deletion_has_only_a_before(history: Store) -> None:
    flag = history.flags.get("cms", KEY)
    history.flags.delete("cms", KEY, BOB, "no longer used")
    entry = history.audit()[0]
    assert (entry.before, entry.after) == (flag.model_dump_json(), None)
    assert (entry.title, entry.comment) == (f"deleted {KEY}", "no longer used")
    assert entry.instructions == [{"kind": "deleteFlag"}]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        pytest.param(["turnFlagOn"], "turned f{0}o on", id="one"),
        pytest.param(["turnFlagOn", "addRule"], "turned f{0}o on, added a rule to f{0}o", id="two"),
        pytest.param(["addTags", "addTags"], "tagged f{0}o", id="same-twice"),
        pytest.param(["other{x}"], "other{x} on f{0}o", id="no-phrase-for-it"),
        pytest.param([None], "None on f{0}o", id="no-kind"),
    ],
)
def test_titles(kinds: list[str], expected: str) -> None:
    assert audit.title("f{0}o", [{"kind": kind} for kind in kinds]) == expected
