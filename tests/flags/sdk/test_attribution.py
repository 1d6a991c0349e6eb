"""Custom events belong to the variation that a flag gives their context."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flag_builders import a_boolean, a_staged, within
from flags.evaluation.context import Context
from flags.evaluation.evaluator import evaluate
from flags.model import (
    Flag,
    Rollout,
    Serve,
    Snapshot,
    WeightedVariation,
    custom_name,
    parse_custom_name,
)
from flags.sdk.attribution import attribute
from flags.sdk.event_kinds import Custom, read

HALF = Serve(
    rollout=Rollout(
        context_kind="user",
        variations=(
            WeightedVariation(variation=2, weight=50_000),
            WeightedVariation(variation=3, weight=50_000),
        ),
    )
)


def world(*flags: Flag) -> Snapshot:
    return Snapshot(environment="production", flags={flag.key: flag for flag in flags}, segments={})


MOVING = within(a_staged("moving"), on=True, fallthrough=HALF)
STANDING = a_staged("standing")


def user(key: str, **more: Any) -> dict[str, Any]:
    return {"kind": "user", "key": key, **more}


def nobody(_: str) -> None:
    return None


@given(st.lists(st.text(min_size=1, max_size=8), max_size=30))
def test_each_event_counts_once_for_each_migration_flag(keys: list[str]) -> None:
    flags = world(MOVING, STANDING, a_boolean())
    events = [Custom("paid", 2.0, user(key)) for key in keys]
    found = list(attribute(events, flags, nobody))
    assert Counter(each.flag for each in found) == Counter(
        {"moving": len(keys)} if keys else {}
    ) + (Counter({"standing": len(keys)} if keys else {}))
    by_key = [each.variation for each in found if each.flag == "moving"]
    for key, variation in zip(keys, by_key, strict=True):
        given_ = evaluate(MOVING, Context.parse(user(key)), flags)
        assert variation == given_.variation_index
    assert all(each.variation == 0 for each in found if each.flag == "standing")
    assert all((each.key, each.value) == ("paid", 2.0) for each in found)


@pytest.mark.parametrize(
    "context", [None, 5, {}, {"kind": "user"}, {"kind": "multi"}, "a" * 10], ids=repr
)
def test_an_event_without_a_context_counts_for_none(context: Any) -> None:
    assert list(attribute([Custom("paid", 0.0, context)], world(MOVING), nobody)) == []


def test_attributes_that_were_seen_before_count_where_an_event_has_keys_alone() -> None:
    rule = {
        "id": "r",
        "clauses": [{"id": "c", "attribute": "plan", "op": "in", "values": ["internal"]}],
        "serve": {"variation": 5},
    }
    flag = within(a_staged("moving"), on=True, rules=[rule])
    known = {"alice": Context.parse(user("alice", plan="internal"))}
    events = [Custom("paid", 0.0, user(key)) for key in ("alice", "bob")]
    found = [each.variation for each in attribute(events, world(flag), known.get)]
    assert found == [5, 0]


@pytest.mark.parametrize(
    ("event", "context"),
    [
        pytest.param({"context": {"key": "a"}}, {"key": "a"}, id="whole"),
        pytest.param({"contextKeys": {"user": "a"}}, {"kind": "user", "key": "a"}, id="key"),
        pytest.param(
            {"contextKeys": {"user": "a", "org": "b"}},
            {"kind": "multi", "user": {"key": "a"}, "org": {"key": "b"}},
            id="keys",
        ),
        pytest.param({"contextKeys": {}}, {"kind": "multi"}, id="no-key"),
        pytest.param({"contextKeys": 3}, None, id="malformed"),
        pytest.param({}, None, id="none"),
    ],
)
def test_whose_event_it_is(event: Mapping[str, Any], context: Any) -> None:
    (found,) = read([{"kind": "custom", "key": "paid", "metricValue": 2, **event}]).custom
    assert found == Custom("paid", 2.0, context)


@given(st.integers(0, 99), st.text(max_size=20))
def test_names_can_be_read_again(variation: int, key: str) -> None:
    assert parse_custom_name(custom_name(variation, key)) == (variation, key)


@pytest.mark.parametrize("name", ["invoked.old", "custom", "custom.x.paid", "custom.3", ""])
def test_other_measures_are_no_custom_events(name: str) -> None:
    assert parse_custom_name(name) is None
