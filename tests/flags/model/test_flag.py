"""What a flag can be, and what it cannot."""

from typing import Any

import pytest
from pydantic import ValidationError

from flag_builders import PRODUCTION, a_boolean, a_choice, a_config, a_staged, within
from flags.model import (
    STAGES_BY_COUNT,
    Clause,
    Config,
    Flag,
    Rollout,
    Rule,
    Serve,
    Target,
    Variation,
    WeightedVariation,
)

BOOLEAN, STAGED = a_boolean(), a_staged()


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
    assert (rollout.kind, rollout.context_kind, rollout.bucket_by, rollout.seed) == (
        "rollout", "user", None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param((99_999,), "weights sum to 99999, expected 100000", id="too-little"),
        pytest.param((60_000, 60_000), "weights sum to 120000, expected 100000", id="too-much"),
        pytest.param((100_001, -1), "less than or equal to 100000", id="negative"),
        pytest.param((), "at least 1 item", id="empty"),
        pytest.param((1_000,) * 101, "at most 100 items", id="too-many"),
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


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        pytest.param({"variation": 2}, {2}, id="variation"),
        pytest.param({"rollout": weighted(0, 40_000, 60_000)}, {0, 1, 2}, id="rollout"),
    ],
)
def test_what_may_be_served(serve: dict[str, Any], expected: set[int]) -> None:
    assert Serve.model_validate(serve).variations() == expected


@pytest.mark.parametrize("key", ["", "-a", "a b", "a/b", "ä", "x" * 257, "a\n", ".a"], ids=repr)
def test_bad_key(key: str) -> None:
    with pytest.raises(ValidationError, match="key"):
        BOOLEAN.changed(key=key)


@pytest.mark.parametrize("key", ["a", "A.b-c_9", "9", "x" * 256])
def test_good_key(key: str) -> None:
    assert BOOLEAN.changed(key=key).key == key


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


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda text: BOOLEAN.changed(name=text), id="name"),
        pytest.param(lambda text: BOOLEAN.changed(description=text), id="description"),
        pytest.param(lambda text: Target(variation=0, values=(text,)), id="target"),
        pytest.param(lambda text: Variation(id="v", value=1, name=text), id="variation"),
    ],
)
def test_texts_that_are_no_json_are_refused(make: Any) -> None:
    assert make("ünï \u2028")
    with pytest.raises(ValidationError):
        make("\ud800")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"targets": [{"variation": -1, "values": []}]}, "variation", id="index"),
        pytest.param({"off_variation": -1}, "off_variation", id="off"),
        pytest.param({"version": 0}, "version", id="version"),
        pytest.param({"check_ratio": -1}, "check_ratio", id="check-ratio"),
        pytest.param({"sampling_ratio": -1}, "sampling_ratio", id="sampling"),
        pytest.param({"targets": [{"variation": 0, "values": []}] * 201}, "targets", id="targets"),
        pytest.param({"rules": [{"id": "r", "clauses": [], "serve": {}}]}, "clauses", id="clauses"),
        pytest.param({"enabled": True}, "enabled", id="unknown-field"),
    ],
)
def test_broken_config(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        a_config(**fields)


def test_change_is_validated_and_leaves_the_old_flag() -> None:
    changed = BOOLEAN.changed(archived=True, version=2)
    assert (changed.archived, changed.version) == (True, 2)
    assert (BOOLEAN.archived, BOOLEAN.version) == (False, 1)
    with pytest.raises(ValidationError, match="version"):
        BOOLEAN.changed(version=0)
    with pytest.raises(ValidationError, match="frozen"):
        BOOLEAN.archived = True


def test_variation_by_id() -> None:
    assert STAGED.variation_index("v-live") == 3
    assert STAGED.variation_index("live") is None


def test_stages() -> None:
    assert {count: len(stages) for count, stages in STAGES_BY_COUNT.items()} == {2: 2, 4: 4, 6: 6}
    for stages in STAGES_BY_COUNT.values():
        assert set(stages) <= set(STAGES_BY_COUNT[6])
        assert (stages[0], stages[-1]) == ("off", "complete")


class TestUntouched:
    """What a flag says in an environment that nobody has touched yet."""

    def test_its_defaults(self) -> None:
        flag = a_choice(
            defaults={"on_variation": 2, "off_variation": 1}, created=77, first_version=5
        )
        config = flag.config("qa")
        assert (config.on, config.off_variation, config.fallthrough.variation) == (False, 1, 2)
        assert (config.version, config.modified) == (5, 77)
        assert (config.targets, config.rules, config.prerequisites) == ((), (), ())

    def test_its_salt_stays_and_is_its_own(self) -> None:
        """Else contexts would move from one share to another."""
        flag = a_choice()
        salt = flag.config("qa").salt
        assert flag.changed(name="N", version=9).config("qa").salt == salt
        others = [flag.config("qb"), a_choice(key="other").config("qa")]
        assert salt not in {c.salt for c in others}
        assert a_choice(created=2).config("qa").salt != salt, "a new flag of the key"

    def test_touching_one_leaves_others(self) -> None:
        flag = within(BOOLEAN, on=True)
        assert flag.config(PRODUCTION).on
        assert flag.config("qa") == BOOLEAN.config("qa")
        assert BOOLEAN.environments == {}


def test_json_round_trip() -> None:
    config = Config(
        salt="s",
        modified=5,
        on=True,
        off_variation=0,
        fallthrough=Serve(
            rollout=Rollout(
                kind="experiment",
                seed=61,
                bucket_by="/a~1b",
                variations=(
                    WeightedVariation(variation=2, weight=95_000),
                    WeightedVariation(variation=3, weight=5_000, untracked=True),
                ),
            )
        ),
        targets=(Target(variation=3, values=("alice", "ß😀")),),
        rules=(
            Rule(
                id="r",
                clauses=(
                    Clause(id="c", attribute="a", op="in", values=(1, True, None, {"a": []})),
                ),
                serve=Serve(variation=1),
            ),
        ),
        debug_events_until=2**45,
    )
    flag = STAGED.with_config(PRODUCTION, config).with_config("qa", config.changed(on=False))
    again = Flag.model_validate_json(flag.model_dump_json())
    assert again == flag
    assert again.model_dump_json() == flag.model_dump_json()
