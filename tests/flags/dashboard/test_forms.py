"""Dashboard forms to instructions and back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.dashboard.forms import fallthrough_instruction, percentages, target_instruction
from flags.errors import Rejected
from flags.instructions import World
from flags.model import FULL_WEIGHT, STAGES, Flag
from flags.patch import apply

WORLD = World(flag=lambda _: None, new_id=lambda: "id")


def form(*shares: str) -> dict[str, str]:
    return {f"share-{i}": share for i, share in enumerate(shares)}


def test_one_variation(staged: Flag) -> None:
    assert fallthrough_instruction(staged, form("", "0", "0.000", "100")) == {
        "kind": "updateFallthroughVariationOrRollout",
        "variationId": "v-live",
    }


def test_rollout(staged: Flag) -> None:
    changed = staged.changed(migration_context_kind="account")
    assert fallthrough_instruction(changed, form("0", "0", "99.5", ".5")) == {
        "kind": "updateFallthroughVariationOrRollout",
        "rolloutWeights": {"v-shadow": 99_500, "v-live": 500},
        "rolloutContextKind": "account",
    }


@pytest.mark.parametrize(
    "text",
    ["x", "NaN", "sNaN", "Infinity", "1e2", "1e999999", "-1", "101", "0.0001", "1_0", "٥", "1,5"],
)
def test_no_percentage(staged: Flag, text: str) -> None:
    with pytest.raises(Rejected) as caught:
        fallthrough_instruction(staged, form(text))
    assert str(caught.value) == f"off: expected 0 to 100 with up to 3 decimals, found {text!r}"


@pytest.mark.parametrize(
    ("shares", "total"),
    [(("50", "49.999"), "99.999"), (("100", "0.001"), "100.001"), ((), "0")],
    ids=["less", "more", "nothing"],
)
def test_sum(staged: Flag, shares: tuple[str, ...], total: str) -> None:
    with pytest.raises(Rejected, match=rf"^the percentages sum to {total}, expected 100$"):
        fallthrough_instruction(staged, form(*shares))


@given(st.lists(st.integers(0, FULL_WEIGHT), min_size=5, max_size=5).map(sorted))
def test_what_is_shown_can_be_sent_back(staged: Flag, cuts: list[int]) -> None:
    weights = [b - a for a, b in zip([0, *cuts], [*cuts, FULL_WEIGHT], strict=True)]
    shares = [Decimal(weight) / 1000 for weight in weights]
    instruction = fallthrough_instruction(staged, form(*map(str, shares)))
    flag = apply(staged, [instruction], WORLD)
    assert percentages(flag) == shares
    shown = form(*(f"{share}" for share in percentages(flag)))
    assert apply(flag, [fallthrough_instruction(flag, shown)], WORLD) == flag


def test_percentages_of_one_variation(staged: Flag) -> None:
    assert [str(share) for share in percentages(staged)] == ["100"] + ["0"] * (len(STAGES) - 1)


@pytest.mark.parametrize(
    ("fields", "kind", "context"),
    [
        pytest.param({}, "addTargets", "user", id="add"),
        pytest.param({"remove": "1"}, "removeTargets", "user", id="remove"),
        pytest.param({"context_kind": "account"}, "addTargets", "account", id="context-kind"),
    ],
)
def test_target(staged: Flag, fields: dict[str, str], kind: str, context: str) -> None:
    given = {"value": " alice ", "variation": "v-live", **fields}
    assert target_instruction(staged, given) == {
        "kind": kind,
        "contextKind": context,
        "variationId": "v-live",
        "values": ["alice"],
    }


def test_target_without_key(staged: Flag) -> None:
    with pytest.raises(Rejected, match="expected the key of a context"):
        target_instruction(staged, {"value": "  ", "variation": "v-live"})
