"""Segments in both databases: of one environment each, with versions and an audit log."""

from collections.abc import Callable
from typing import Any

import pytest

from flag_builders import (
    ALICE,
    BOB,
    PRODUCTION,
    a_segment,
    an_environment,
    segment_rule,
)
from flags.errors import Conflict, NotFound, Outdated, Rejected
from flags.model import Segment
from flags.store import Change, Deleted, Store

BETA = a_segment()
INCLUDE = {"kind": "addIncludedTargets", "values": ["ann"]}


def create(store: Store, segment: Segment = BETA, environment: str = PRODUCTION) -> Segment:
    return store.segments.create("cms", environment, segment, ALICE)


def patch(store: Store, *instructions: Any, **options: Any) -> Segment:
    return store.segments.patch("cms", PRODUCTION, "beta", instructions, BOB, **options)


def test_create_and_read(store: Store) -> None:
    assert store.segments.all("cms", PRODUCTION) == []
    assert create(store) == BETA
    create(store, a_segment("alpha"))
    assert [s.key for s in store.segments.all("cms", PRODUCTION)] == ["alpha", "beta"]
    assert store.segments.get("cms", PRODUCTION, "beta") == BETA


def test_environments_have_their_own(store: Store) -> None:
    create(store)
    with pytest.raises(NotFound, match="segment 'beta' does not exist in 'cms', 'staging'"):
        store.segments.get("cms", "staging", "beta")
    create(store, BETA.changed(name="another"), "staging")
    assert store.segments.get("cms", PRODUCTION, "beta") == BETA


def test_there_is_one_of_a_key(store: Store) -> None:
    create(store)
    with pytest.raises(Conflict, match="segment 'beta' exists already"):
        create(store)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda s: s.segments.get("cms", PRODUCTION, "nope"), id="read"),
        pytest.param(
            lambda s: s.segments.patch("cms", PRODUCTION, "nope", [INCLUDE], ALICE), id="patch"
        ),
        pytest.param(lambda s: s.segments.delete("cms", PRODUCTION, "nope", ALICE), id="delete"),
        pytest.param(lambda s: s.segments.all("cms", "nope"), id="environment"),
        pytest.param(lambda s: s.segments.create("cms", "nope", BETA, ALICE), id="create"),
        pytest.param(lambda s: s.segments.all("nope", PRODUCTION), id="project"),
    ],
)
def test_unknown(store: Store, act: Callable[[Store], object]) -> None:
    with pytest.raises(NotFound, match="'nope' does not exist"):
        act(store)
    assert store.audit(kind="segment") == []


def test_patch(store: Store) -> None:
    create(store)
    heard: list[Change] = []
    store.core.follow(heard.append)
    heard.clear()
    segment = patch(store, INCLUDE, comment="asked for it")
    assert (segment.included[0].values, segment.version) == (("ann",), 2)
    assert segment.modified > BETA.modified
    (change,) = heard
    assert (change.project, change.environment, change.item) == ("cms", PRODUCTION, segment)
    entry = store.audit()[0]
    assert (entry.kind, entry.key, entry.environment, entry.version) == (
        "segment", "beta", PRODUCTION, 2,
    )  # fmt: skip
    assert (entry.member, entry.comment, entry.instructions) == ("bob", "asked for it", [INCLUDE])
    assert (entry.before, entry.after) == (BETA.model_dump_json(), segment.model_dump_json())


def test_without_effect(store: Store) -> None:
    create(store)
    assert patch(store, {"kind": "removeIncludedTargets", "values": ["ann"]}) == BETA
    assert len(store.audit(kind="segment")) == 1


def test_whole_or_not_at_all(store: Store) -> None:
    create(store)
    with pytest.raises(Rejected, match=r"^instructions\[1\] \(removeRule\)"):
        patch(store, INCLUDE, {"kind": "removeRule", "ruleId": "r"})
    assert store.segments.get("cms", PRODUCTION, "beta") == BETA


def test_expected_version(store: Store) -> None:
    create(store)
    patch(store, INCLUDE, expected=1)
    with pytest.raises(Outdated, match="segment 'beta' has version 2, not 1: read it again"):
        patch(store, {**INCLUDE, "values": ["bob"]}, expected=1)


def test_required_comment(store: Store) -> None:
    store.environments.save(an_environment(require_comments=True), ALICE)
    message = "comment: environment 'production' requires one for every change"
    with pytest.raises(Rejected, match=message):
        create(store)
    store.segments.create("cms", PRODUCTION, BETA, ALICE, "why")
    with pytest.raises(Rejected, match=message):
        patch(store, INCLUDE)
    with pytest.raises(Rejected, match=message):
        store.segments.delete("cms", PRODUCTION, "beta", ALICE)
    create(store, BETA, "staging")
    assert store.segments.get("cms", PRODUCTION, "beta") == BETA


def test_delete_and_make_again(store: Store) -> None:
    create(store)
    patch(store, INCLUDE)
    heard: list[Change] = []
    store.core.follow(heard.append)
    heard.clear()
    store.segments.delete("cms", PRODUCTION, "beta", ALICE)
    assert store.segments.all("cms", PRODUCTION) == []
    again = create(store)
    assert again.version == 4
    assert [c.item for c in heard] == [Deleted(kind="segment", key="beta", version=3), again]
    assert [e.version for e in store.audit(kind="segment")] == [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        pytest.param([segment_rule("beta")], "the segment would contain itself: 'beta'", id="self"),
        pytest.param([segment_rule("nope")], "segment 'nope' does not exist", id="unknown"),
    ],
)
def test_what_does_not_fit_is_not_created(store: Store, rules: list[Any], message: str) -> None:
    with pytest.raises(Rejected) as caught:
        create(store, a_segment(rules=rules))
    assert str(caught.value) == message


def test_a_cycle_through_others(store: Store) -> None:
    create(store)
    create(store, a_segment("middle", rules=[segment_rule("beta")]))
    create(store, a_segment("all", rules=[segment_rule("middle")]))
    rule = {"kind": "addRule", "clauses": [{"op": "segmentMatch", "values": ["all"]}]}
    with pytest.raises(Rejected, match="the segment would contain itself: 'beta'"):
        patch(store, rule)


class TestRevert:
    def test_a_change(self, store: Store) -> None:
        create(store)
        patch(store, INCLUDE)
        entry = store.audit()[0]
        patch(store, {"kind": "updateName", "value": "Friends"})
        segment = store.segments.revert(entry, ALICE)
        assert (segment.included, segment.name, segment.version) == ((), "Friends", 4)
        assert store.audit()[0].title.startswith("reverted segment beta: undid “")

    def test_a_deletion(self, store: Store) -> None:
        create(store)
        store.segments.delete("cms", PRODUCTION, "beta", ALICE)
        assert store.segments.revert(store.audit()[0], ALICE).version == 3

    def test_a_creation(self, store: Store) -> None:
        create(store)
        with pytest.raises(Conflict, match="segment 'beta' was created then: delete it instead"):
            store.segments.revert(store.audit()[0], ALICE)

    def test_of_a_segment_that_is_gone(self, store: Store) -> None:
        create(store)
        patch(store, INCLUDE)
        entry = store.audit()[0]
        store.segments.delete("cms", PRODUCTION, "beta", ALICE)
        with pytest.raises(NotFound):
            store.segments.revert(entry, ALICE)
