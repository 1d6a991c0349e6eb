"""Where contexts lie in rollouts: the numbers are those of LaunchDarkly's SDK for Python."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_builders import a_context, several, shared
from flags.evaluation import Context
from flags.evaluation.bucket import Share, bucket, in_segment_share, share
from flags.evaluation.malformed import Malformed
from flags.model import Rollout, Serve


def rollout(serve: Serve) -> Rollout:
    assert serve.rollout is not None
    return serve.rollout


@pytest.mark.parametrize(
    ("prefix", "key", "expected"),
    [
        pytest.param("publishing.a1b2c3", "user-42", 0.19231999154585516, id="salt"),
        pytest.param("61", "user-42", 0.1874971587856966, id="seed"),
        pytest.param("publishing.a1b2c3", "reader-7", 0.3440151513491137, id="other-key"),
    ],
)
def test_bucket(prefix: str, key: str, expected: float) -> None:
    assert bucket(a_context(key), "user", None, prefix) == expected


@pytest.mark.parametrize(
    ("value", "same_as"),
    [
        pytest.param("user-42", "user-42", id="text"),
        pytest.param(42, "42", id="integer"),
        pytest.param(-(10**20), str(-(10**20)), id="long-integer"),
    ],
)
def test_by_attribute(value: Any, same_as: str) -> None:
    expected = bucket(a_context(same_as), "user", None, "p")
    assert expected > 0
    assert bucket(a_context("other", x={"y": value}), "user", "/x/y", "p") == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="missing"),
        pytest.param(True, id="boolean"),
        pytest.param(1.0, id="float"),
        pytest.param(["a"], id="list"),
        pytest.param({}, id="object"),
    ],
)
def test_by_an_attribute_that_cannot_be_used(value: Any) -> None:
    assert bucket(a_context(x=value), "user", "x", "p") == 0.0


def test_by_a_bad_reference() -> None:
    with pytest.raises(Malformed):
        bucket(a_context(), "user", "/", "p")
    assert bucket(a_context(kind="org"), "user", "/", "p") < 0


def test_by_nothing_is_the_key() -> None:
    assert bucket(a_context(), "user", "", "p") == bucket(a_context(), "user", None, "p")


@pytest.mark.parametrize(
    ("serve", "context", "variation"),
    [
        pytest.param(shared(19_231, 80_769), a_context(), 1, id="just-above"),
        pytest.param(shared(19_233, 80_767), a_context(), 0, id="just-below"),
        pytest.param(shared(18_751, 81_249, seed=61), a_context(), 0, id="seed"),
        pytest.param(shared(20_000, 80_000, seed=0), a_context(), 1, id="seed-0-is-a-seed"),
        pytest.param(shared(0, 100_000), a_context(), 1, id="nothing-for-the-first"),
        pytest.param(shared(0, 100_000, bucket_by="x"), a_context(), 1, id="bucket-0"),
        pytest.param(shared(1, 99_999, bucket_by="x"), a_context(), 0, id="bucket-0-in-share"),
        pytest.param(
            shared(0, 100_000, context_kind="org"), a_context(), 0, id="no-such-kind-is-first"
        ),
        pytest.param(
            shared(19_233, 80_767, context_kind="org"),
            several(user={"key": "reader-7"}, org={"key": "user-42"}),
            0,
            id="other-kind",
        ),
    ],
)
def test_share(serve: Serve, context: Context, variation: int) -> None:
    assert share(rollout(serve), context, "publishing", "a1b2c3") == Share(variation, False)


@pytest.mark.parametrize(
    ("more", "context", "expected"),
    [
        pytest.param({}, a_context(), Share(1, True), id="in"),
        pytest.param({"bucket_by": "plan"}, a_context(plan="x"), Share(1, True), id="by-the-key"),
        pytest.param({"context_kind": "org"}, a_context(), Share(0, False), id="no-such-kind"),
    ],
)
def test_experiment(more: dict[str, Any], context: Context, expected: Share) -> None:
    chosen = rollout(shared(19_231, 80_769, kind="experiment", **more))
    assert share(chosen, context, "publishing", "a1b2c3") == expected


def test_untracked_share_is_not_in_the_experiment() -> None:
    made = Rollout.model_validate(
        {
            "kind": "experiment",
            "variations": [
                {"variation": 0, "weight": 50_000, "untracked": True},
                {"variation": 1, "weight": 50_000},
            ],
        }
    )
    assert share(made, a_context("user-42"), "publishing", "a1b2c3") == Share(0, False)


def test_segment_share() -> None:
    place = bucket(a_context(), "user", None, "beta.salt")
    for weight, inside in ((int(place * 100_000), False), (int(place * 100_000) + 1, True)):
        assert in_segment_share(a_context(), "user", None, "beta", "salt", weight) is inside


def test_segment_share_without_such_a_context() -> None:
    """Below every weight, as in the SDK, even below 0."""
    assert in_segment_share(a_context(), "org", None, "beta", "salt", 0)


@given(st.text(min_size=1, max_size=9).filter(lambda t: t.isprintable()), st.integers(0, 100_000))
def test_nobody_changes_sides_when_a_share_grows(key: str, weight: int) -> None:
    context = a_context(key)
    place = bucket(context, "user", None, "f.s")
    assert 0 <= place <= 1
    grown = [
        share(rollout(shared(100_000 - w, w)), context, "f", "s").variation
        for w in sorted({0, weight, 100_000})
    ]
    assert grown == sorted(grown)
