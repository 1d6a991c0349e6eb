"""Percentages: from the form to the instruction and back, and how sliders balance."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from flags.changes.base import World
from flags.changes.patch import apply_to_flag
from flags.dashboard.forms.serving import ServeDraft, balanced, fallthrough, percent, shares
from flags.errors import Rejected
from flags.model import FULL_WEIGHT, Flag, Serve

WORLD = World(
    environment="production",
    flag=lambda _: None,
    segment=lambda _: None,
    needed_by=lambda _: (),
    new_id=lambda: "id",
)


def read(flag: Flag, *typed: str, **fields: str) -> dict[str, Any]:
    form = MultiDict({**{f"share-{i}": share for i, share in enumerate(typed)}, **fields})
    return ServeDraft.read(form, flag).fields(flag)


def test_all_of_one(staged: Flag) -> None:
    assert read(staged, "", "0", "0.000", "100") == {"variationId": "v-live"}


def test_rollout(staged: Flag) -> None:
    assert read(staged, "0", "0", "99.5", ".5", context_kind="account", bucket_by="country") == {
        "rolloutWeights": {"v-shadow": 99_500, "v-live": 500},
        "rolloutContextKind": "account",
        "rolloutBucketBy": "country",
    }


def test_the_kind_that_the_migration_moves(staged: Flag) -> None:
    flag = staged.changed(migration_context_kind="account")
    assert read(flag, "50", "50")["rolloutContextKind"] == "account"


def test_a_chosen_variation_needs_no_shares(staged: Flag) -> None:
    assert read(staged, "x", serve="v-live") == {"variationId": "v-live"}


@pytest.mark.parametrize(
    "text",
    ["x", "NaN", "sNaN", "Infinity", "1e2", "1e999999", "-1", "101", "0.0001", "1_0", "٥", "1,5"],
)
def test_no_percentage(staged: Flag, text: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(staged, text)
    assert str(caught.value) == f"off: expected 0 to 100 with up to 3 decimals, found {text!r}"


@pytest.mark.parametrize(
    ("typed", "total"),
    [(("50", "49.999"), "99.999"), (("100", "0.001"), "100.001"), ((), "0")],
    ids=["less", "more", "nothing"],
)
def test_sum(staged: Flag, typed: tuple[str, ...], total: str) -> None:
    with pytest.raises(Rejected, match=rf"^the percentages sum to {total}, expected 100$"):
        read(staged, *typed)


weights = st.lists(st.integers(0, FULL_WEIGHT), min_size=5, max_size=5).map(
    lambda cuts: [
        b - a for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), FULL_WEIGHT], strict=True)
    ]
)


@given(weights)
def test_what_is_shown_can_be_sent_back(staged: Flag, given_weights: list[int]) -> None:
    typed = [f"{percent(weight):f}" for weight in given_weights]
    draft = ServeDraft.read(MultiDict({f"share-{i}": t for i, t in enumerate(typed)}), staged)
    flag = apply_to_flag(staged, [fallthrough(draft, staged)], WORLD)
    serve = flag.config("production").fallthrough
    assert shares(serve, 6) == [Decimal(weight) / 1000 for weight in given_weights]
    again = ServeDraft.of(serve, flag)
    assert again.shares == tuple(typed)
    assert apply_to_flag(flag, [fallthrough(again, flag)], WORLD) == flag


def test_of_one_variation(staged: Flag) -> None:
    draft = ServeDraft.of(Serve(variation=3), staged)
    assert (draft.choice, draft.shares) == ("v-live", ("0", "0", "0", "100", "0", "0"))


@pytest.mark.parametrize(
    ("before", "at", "wanted", "after"),
    [
        pytest.param([95, 5], 1, 10, [90, 10], id="from-the-other"),
        pytest.param([0, 100, 0], 1, 90, [10, 90, 0], id="to-the-one-before"),
        pytest.param([100, 0, 0], 0, 90, [90, 10, 0], id="first-gives-to-the-next"),
        pytest.param([50, 30, 20], 0, 0, [0, 60, 40], id="in-proportion"),
        pytest.param([50, 50], 0, 200, [100, 0], id="at-most-everything"),
        pytest.param([50, 50], 0, -5, [0, 100], id="at-least-nothing"),
        pytest.param([100], 0, 10, [100], id="alone"),
        pytest.param([34, 33, 33], 0, 35, [35, 33, 32], id="remainder-to-the-first"),
    ],
)
def test_balance(before: list[int], at: int, wanted: int, after: list[int]) -> None:
    assert balanced(before, at, wanted) == after


@given(weights, st.integers(0, 5), st.integers(0, FULL_WEIGHT))
def test_balance_keeps_the_sum(before: list[int], at: int, wanted: int) -> None:
    after = balanced(before, at, wanted)
    assert sum(after) == FULL_WEIGHT
    assert after[at] == wanted
    assert min(after) >= 0
    others = [i for i in range(6) if i != at]
    if any(before[i] for i in others):
        assert all(after[i] == 0 for i in others if before[i] == 0), "no share out of nothing"
