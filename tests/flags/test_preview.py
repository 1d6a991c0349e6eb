"""Whom a change would move."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.evaluation import Context, evaluate
from flags.model import Defaults, Flag, Rollout, Serve, Snapshot, Variation, WeightedVariation
from flags.preview import moved

FLAG = Flag(
    key="publishing",
    name="Publishing",
    kind="boolean",
    variations=(Variation(id="yes", value=True), Variation(id="no", value=False)),
    defaults=Defaults(on_variation=0, off_variation=1),
    created=1,
)
EMPTY = Snapshot(environment="production", flags={}, segments={})


def users(count: int) -> list[Context]:
    return [Context.parse({"kind": "user", "key": f"user-{i}"}) for i in range(count)]


def world(*, on: bool, yes: int = 100_000) -> Snapshot:
    """Where `yes` thousandths of a percent get the first variation while it is on."""
    shares = (WeightedVariation(variation=0, weight=yes),)
    others = (WeightedVariation(variation=1, weight=100_000 - yes),)
    serve = Serve(rollout=Rollout(variations=shares + others))
    config = FLAG.config("production").changed(on=on, fallthrough=serve)
    return replace(EMPTY, flags={FLAG.key: FLAG.with_config("production", config)})


@pytest.mark.parametrize(
    ("before", "after", "by_variation"),
    [
        pytest.param(world(on=True), world(on=True), {(0, 0): 50}, id="nothing"),
        pytest.param(world(on=True), world(on=False), {(0, 1): 50}, id="turned-off"),
        pytest.param(world(on=False), world(on=True), {(1, 0): 50}, id="turned-on"),
        pytest.param(EMPTY, world(on=True), {(None, 0): 50}, id="made"),
        pytest.param(EMPTY, EMPTY, {(None, None): 50}, id="never-there"),
    ],
)
def test_moves(
    before: Snapshot, after: Snapshot, by_variation: dict[tuple[int | None, int | None], int]
) -> None:
    preview = moved(before, after, FLAG.key, users(50))
    assert preview.by_variation == by_variation
    assert preview.total == 50
    assert preview.moved == sum(n for (old, new), n in by_variation.items() if old != new)


def test_nobody_was_seen() -> None:
    preview = moved(world(on=True), world(on=False), FLAG.key, [])
    assert (preview.total, preview.moved, preview.by_variation) == (0, 0, {})


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_a_growing_share_moves_in_one_direction_only(one: int, other: int) -> None:
    low, high = sorted((one, other))
    preview = moved(world(on=True, yes=low), world(on=True, yes=high), FLAG.key, users(60))
    assert (0, 1) not in preview.by_variation
    assert sum(preview.by_variation.values()) == preview.total == 60
    after = world(on=True, yes=high)
    given_yes = sum(
        evaluate(after.flags[FLAG.key], user, after).variation_index == 0 for user in users(60)
    )
    assert given_yes == sum(n for (_, new), n in preview.by_variation.items() if new == 0)
