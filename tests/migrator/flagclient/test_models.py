"""Flags as LaunchDarkly tells them."""

from typing import Any

import pytest

from migrator.errors import InvalidInput
from migrator.flagclient.models import Flag
from migrator.plan.model import Stage

STAGES = [str(stage) for stage in Stage]


def flag(fallthrough: dict[str, Any], values: list[Any] | None = None, **more: Any) -> Flag:
    values = STAGES if values is None else values
    return Flag.model_validate(
        {
            "key": "shop",
            "variations": [{"_id": f"id-{n}", "value": v} for n, v in enumerate(values)],
            "environments": {"production": {"on": True, "version": 3, "fallthrough": fallthrough}},
            **more,
        }
    )


@pytest.mark.parametrize("kind", ["migration", "multivariate", "anything"])
def test_the_kind_does_not_matter(kind: str) -> None:
    found = flag({"variation": 3}, kind=kind)
    assert (found.weights(), found.on, found.version) == (((Stage.LIVE, 100_000),), True, 3)
    assert found.variation_id("live") == "id-3"


@pytest.mark.parametrize(
    ("fallthrough", "expected"),
    [
        pytest.param({"variation": 0}, ((Stage.OFF, 100_000),), id="one"),
        pytest.param(
            {
                "rollout": {
                    "variations": [
                        {"variation": 3, "weight": 5_000},
                        {"variation": 2, "weight": 95_000},
                        {"variation": 0, "weight": 0},
                    ]
                }
            },
            ((Stage.SHADOW, 95_000), (Stage.LIVE, 5_000)),
            id="shares-in-order-without-empty-ones",
        ),
        pytest.param({}, None, id="neither"),
        pytest.param({"variation": 9}, None, id="no-such-variation"),
    ],
)
def test_weights(fallthrough: dict[str, Any], expected: object) -> None:
    assert flag(fallthrough).weights() == expected


def test_other_variations_are_no_stages() -> None:
    assert flag({"variation": 0}, ["blue", "green"]).weights() is None


def test_a_missing_variation_is_named() -> None:
    with pytest.raises(InvalidInput, match="flag shop has no variation 'live'"):
        flag({"variation": 0}, ["blue"]).variation_id("live")


def test_a_boolean_is_not_a_number() -> None:
    with pytest.raises(InvalidInput, match="no variation True"):
        flag({"variation": 0}, [1, 0]).variation_id(True)
