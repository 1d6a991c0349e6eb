"""The bodies of "Create a feature flag" and "Create segment"."""

import itertools
import json
from typing import Any

import pytest
from pydantic import ValidationError

from flags.errors import Rejected, first_problem
from flags.model import STAGES_BY_COUNT, Flag
from flags.rest.creation import NewFlag, NewSegment, create_flag, create_segment


def made(**fields: Any) -> Flag:
    ids = itertools.count()
    new = NewFlag.model_validate_json(json.dumps({"key": "k", "name": "K", **fields}))
    environments = ["production", "staging"]
    return create_flag(new, environments, new_id=lambda: f"id-{next(ids)}", now_ms=5)


def values(flag: Flag) -> list[Any]:
    return [v.value for v in flag.variations]


def test_least() -> None:
    flag = made()
    assert (flag.kind, values(flag)) == ("boolean", [True, False])
    assert [v.id for v in flag.variations] == ["id-0", "id-1"]
    assert (flag.version, flag.created, flag.environments) == (1, 5, {})
    config = flag.config("production")
    assert (config.on, config.off_variation, config.fallthrough.variation) == (False, 1, 0)
    assert (config.version, config.modified) == (1, 5)
    assert (flag.temporary, flag.archived, flag.tags) == (True, False, ())
    assert (flag.using_mobile_key, flag.using_environment_id) == (False, False)


@pytest.mark.parametrize("count", [2, 4, 6])
def test_migration(count: int) -> None:
    settings = {"stageCount": count, "contextKind": "account"}
    flag = made(purpose="migration", migrationSettings=settings)
    assert (flag.kind, values(flag)) == ("migration", list(STAGES_BY_COUNT[count]))
    assert (flag.defaults.off_variation, flag.defaults.on_variation) == (0, 0)
    assert flag.migration_context_kind == "account"


def test_everything() -> None:
    flag = made(
        description="D",
        variations=[
            {"value": "a", "name": "A", "description": "first"},
            {"value": {"x": [1, None]}},
            {"value": 2.5},
        ],
        defaults={"onVariation": 2, "offVariation": 1},
        tags=["ops", "x", "ops"],
        temporary=False,
        clientSideAvailability={"usingMobileKey": True, "usingEnvironmentId": False},
    )
    assert (flag.kind, values(flag)) == ("multivariate", ["a", {"x": [1, None]}, 2.5])
    assert (flag.config("production").off_variation, flag.defaults.on_variation) == (1, 2)
    assert (flag.tags, flag.temporary, flag.description) == (("ops", "x"), False, "D")
    assert (flag.variations[0].name, flag.variations[0].description) == ("A", "first")
    assert (flag.using_mobile_key, flag.using_environment_id) == (True, False)


def test_in_snippet() -> None:
    """LaunchDarkly's older name for what browser SDKs may read."""
    assert made(includeInSnippet=True).using_environment_id is True


def test_on_from_the_start() -> None:
    flag = made(isFlagOn=True)
    assert [flag.config(e).on for e in ("production", "staging")] == [True, True]


@pytest.mark.parametrize(
    ("variations", "kind"),
    [
        pytest.param([False, True], "boolean", id="booleans"),
        pytest.param([True, True], "multivariate", id="equal"),
        pytest.param([1, 0], "multivariate", id="numbers"),
        pytest.param([True], "multivariate", id="one"),
        pytest.param([True, 0], "multivariate", id="boolean-and-number"),
    ],
)
def test_kind(variations: list[Any], kind: str) -> None:
    assert made(variations=[{"value": value} for value in variations]).kind == kind


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"key": "a b"}, "key: String should match pattern", id="key"),
        pytest.param({"key": "a\n"}, "key: String should match pattern", id="line-break"),
        pytest.param({"name": ""}, "name: String should have at least 1", id="name"),
        pytest.param({"name": "x" * 2001}, "name: String should have at most 2000", id="long"),
        pytest.param({"variations": []}, "variations: List should have", id="no-variation"),
        pytest.param(
            {"variations": [{"value": 1}] * 101}, "variations: List should have", id="many"
        ),
        pytest.param({"variations": [{}]}, "variations.0.value: Field required", id="no-value"),
        pytest.param(
            {"variations": [{"value": float("inf")}]},
            "variations.0.value: Out of range float values are not JSON compliant",
            id="infinity",
        ),
        pytest.param({"temporary": 1}, "temporary: Input should be a valid boolean", id="number"),
        pytest.param({"temporary": "yes"}, "temporary: Input should be a valid boolean", id="word"),
        pytest.param({"tags": ["a b"]}, "tags.0: String should match pattern", id="tag"),
        pytest.param({"tags": ["a"] * 51}, "tags: Tuple should have at most 50", id="tags"),
        pytest.param(
            {"defaults": {"onVariation": "0", "offVariation": 1}},
            "defaults.onVariation: Input should be a valid integer",
            id="index-as-text",
        ),
        pytest.param(
            {"purpose": "migration", "migrationSettings": {"stageCount": 3}},
            "migrationSettings.stageCount: Input should be 2, 4 or 6",
            id="stage-count",
        ),
        pytest.param(
            {"initialPrerequisites": [{"key": "other", "variationId": "1"}]},
            "initialPrerequisites: Tuple should have at most 0 items",
            id="prerequisites",
        ),
    ],
)
def test_malformed(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(**fields)
    assert first_problem(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"defaults": {"onVariation": 0, "offVariation": 2}},
            "defaults.offVariation: 2 is not an index of the 2 variations",
            id="off-index",
        ),
        pytest.param(
            {"defaults": {"onVariation": -1, "offVariation": 0}},
            "defaults.onVariation: -1 is not an index of the 2 variations",
            id="on-index",
        ),
        pytest.param(
            {"purpose": "migration"},
            "migrationSettings: a migration flag needs its stageCount: 2, 4 or 6",
            id="no-stage-count",
        ),
        pytest.param(
            {
                "purpose": "migration",
                "migrationSettings": {"stageCount": 2},
                "variations": [{"value": 1}],
            },
            "variations: a migration flag has its stages, no others",
            id="stages-and-variations",
        ),
        pytest.param(
            {"migrationSettings": {"stageCount": 2}},
            'migrationSettings: only with purpose "migration"',
            id="settings-alone",
        ),
    ],
)
def test_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Rejected) as caught:
        made(**fields)
    assert str(caught.value) == message


def test_segment() -> None:
    body = {"key": "beta", "name": "Beta", "description": "D", "tags": ["x", "y", "x"]}
    new = NewSegment.model_validate_json(json.dumps(body))
    segment = create_segment(new, salt="s", now_ms=5)
    assert (segment.key, segment.name, segment.description) == ("beta", "Beta", "D")
    assert (segment.tags, segment.salt, segment.version) == (("x", "y"), "s", 1)
    assert (segment.created, segment.modified) == (5, 5)
    assert (segment.included, segment.excluded, segment.rules) == ((), (), ())


def test_big_segments_are_not_kept() -> None:
    with pytest.raises(ValidationError, match="unbounded"):
        NewSegment.model_validate({"key": "k", "name": "K", "unbounded": True})
