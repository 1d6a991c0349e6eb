"""What a flag can be, and what it cannot."""

from typing import Any

import pytest
from pydantic import ValidationError

from flags.model import Clause, Flag, Rollout, Serve, Variation, WeightedVariation


def weighted(*weights: int) -> dict[str, Any]:
    return {"variations": [{"variation": i, "weight": w} for i, w in enumerate(weights)]}


@pytest.mark.parametrize(
    "weights",
    [
        pytest.param((100_000,), id="one"),
        pytest.param((95_000, 5_000), id="two"),
        pytest.param((0, 100_000), id="nothing-for-one"),
        pytest.param((1, 99_999), id="least"),
    ],
)
def test_whole_rollout(weights: tuple[int, ...]) -> None:
    rollout = Rollout.model_validate(weighted(*weights))
    assert [v.weight for v in rollout.variations] == list(weights)
    assert rollout.context_kind == "user"


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param((99_999,), "weights sum to 99999, expected 100000", id="too-little"),
        pytest.param((60_000, 60_000), "weights sum to 120000, expected 100000", id="too-much"),
        pytest.param((100_001, -1), "less than or equal to 100000", id="negative"),
        pytest.param((), "at least 1 item", id="empty"),
    ],
)
def test_broken_rollout(weights: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Rollout.model_validate(weighted(*weights))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({}, id="neither"),
        pytest.param({"variation": 0, "rollout": weighted(100_000)}, id="both"),
    ],
)
def test_serve_is_one_of_two(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected a variation or a rollout, one of them"):
        Serve.model_validate(value)


@pytest.mark.parametrize("key", ["", "-a", "a b", "a/b", "ä", "x" * 257, "a\n"], ids=repr)
def test_bad_key(boolean: Flag, key: str) -> None:
    with pytest.raises(ValidationError, match="key"):
        boolean.changed(key=key)


@pytest.mark.parametrize("key", ["a", "A.b-c_9", "x" * 256])
def test_good_key(boolean: Flag, key: str) -> None:
    assert boolean.changed(key=key).key == key


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("inf"), id="infinity"),
        pytest.param({"a": [float("nan")]}, id="nan-inside"),
        pytest.param("\ud800", id="lone-surrogate"),
        pytest.param({"\ud800": 1}, id="lone-surrogate-as-key"),
    ],
)
def test_a_value_that_is_no_json_is_refused(value: Any) -> None:
    """It would end the stream of every SDK."""
    with pytest.raises(ValidationError):
        Variation(id="v", value=value)
    with pytest.raises(ValidationError):
        Clause(id="c", attribute="a", op="in", values=(value,))


def test_change_is_validated_and_leaves_the_old_flag(boolean: Flag) -> None:
    changed = boolean.changed(on=True, version=2)
    assert (changed.on, changed.version, boolean.on, boolean.version) == (True, 2, False, 1)
    with pytest.raises(ValidationError, match="version"):
        boolean.changed(version=0)
    with pytest.raises(ValidationError, match="frozen"):
        boolean.on = True


def test_variation_by_id(staged: Flag) -> None:
    assert staged.variation_index("v-live") == 3
    assert staged.variation_index("live") is None


def test_json_round_trip(staged: Flag) -> None:
    flag = staged.changed(
        fallthrough=Serve(
            rollout=Rollout(
                variations=(
                    WeightedVariation(variation=2, weight=95_000),
                    WeightedVariation(variation=3, weight=5_000),
                )
            )
        )
    )
    assert Flag.model_validate_json(flag.model_dump_json()) == flag
