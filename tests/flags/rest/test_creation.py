"""The body of "Create a feature flag"."""

import itertools
from typing import Any

import pytest

from flags.errors import Rejected
from flags.model import STAGES, Flag
from flags.rest.creation import create


def made(**fields: Any) -> Flag:
    ids = itertools.count()
    body = {"key": "k", "name": "K", **fields}
    return create(body, new_id=lambda: f"id-{next(ids)}", salt="s", now_ms=5)


def values(flag: Flag) -> list[Any]:
    return [v.value for v in flag.variations]


def test_least() -> None:
    flag = made()
    assert (flag.kind, values(flag)) == ("boolean", [True, False])
    assert [v.id for v in flag.variations] == ["id-0", "id-1"]
    assert (flag.on, flag.off_variation, flag.fallthrough.variation) == (False, 1, 0)
    assert (flag.version, flag.salt, flag.created, flag.modified) == (1, "s", 5, 5)


@pytest.mark.parametrize(
    ("count", "stages"),
    [(2, ("off", "complete")), (4, ("off", "shadow", "live", "complete")), (6, STAGES)],
    ids=["two", "four", "six"],
)
def test_migration(count: int, stages: tuple[str, ...]) -> None:
    settings = {"stageCount": count, "contextKind": "account"}
    flag = made(purpose="migration", migrationSettings=settings)
    assert (flag.kind, values(flag)) == ("migration", list(stages))
    assert (flag.off_variation, flag.fallthrough.variation) == (0, 0)
    assert flag.migration_context_kind == "account"


def test_everything() -> None:
    flag = made(
        description="D",
        variations=[{"value": "a", "name": "A"}, {"value": {"x": [1, None]}}, {"value": 2.5}],
        defaults={"onVariation": 2, "offVariation": 1},
        tags=["ops", "x", "ops"],
        temporary=False,
        includeInSnippet=True,
    )
    assert (flag.kind, values(flag)) == ("multivariate", ["a", {"x": [1, None]}, 2.5])
    assert (flag.off_variation, flag.fallthrough.variation) == (1, 2)
    assert (flag.tags, flag.temporary, flag.description) == (("ops", "x"), False, "D")
    assert flag.variations[0].name == "A"


@pytest.mark.parametrize(
    ("variations", "kind"),
    [
        pytest.param([False, True], "boolean", id="booleans"),
        pytest.param([True, True], "multivariate", id="equal"),
        pytest.param([1, 0], "multivariate", id="numbers"),
        pytest.param([True], "multivariate", id="one"),
    ],
)
def test_kind(variations: list[Any], kind: str) -> None:
    assert made(variations=[{"value": value} for value in variations]).kind == kind


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"key": "a b"}, "key: String should match pattern", id="key"),
        pytest.param({"name": ""}, "name: String should have at least 1", id="name"),
        pytest.param({"variations": []}, "variations: List should have", id="no-variation"),
        pytest.param({"variations": [{}]}, "variations.0.value: Field required", id="no-value"),
        pytest.param(
            {"variations": [{"value": float("inf")}]},
            "value: Out of range float values are not JSON compliant",
            id="infinity",
        ),
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
            {"purpose": "migration", "migrationSettings": {"stageCount": 3}},
            "migrationSettings.stageCount: Input should be 2, 4 or 6",
            id="stage-count",
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
        pytest.param({"tags": ["a b"]}, "tags.0: String should match pattern", id="tag"),
    ],
)
def test_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Rejected) as caught:
        made(**fields)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("body", [None, [], "x", 5], ids=repr)
def test_no_object(body: object) -> None:
    with pytest.raises(Rejected, match=r"^body: Input should be"):
        create(body, new_id=str, salt="s", now_ms=5)
