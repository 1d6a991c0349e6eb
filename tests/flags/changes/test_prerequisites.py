"""Prerequisites: other flags that a flag needs in one environment."""

from collections.abc import Mapping
from typing import Any

import pytest

from flag_builders import PRODUCTION, Known, a_boolean, a_staged, patched, within
from flags.changes.prerequisites import leads_to
from flags.errors import Rejected
from flags.model import Flag, Prerequisite

STAGED, BOOLEAN = a_staged(), a_boolean()
ADD = {"kind": "addPrerequisite", "key": BOOLEAN.key, "variationId": "yes"}


def needs(key: str, *others: str, environment: str = PRODUCTION) -> Flag:
    """A boolean flag with prerequisites."""
    prerequisites = tuple(Prerequisite(key=other, variation=0) for other in others)
    return within(a_boolean(key), environment, prerequisites=prerequisites)


def of(flag: Flag) -> list[tuple[str, int]]:
    return [(p.key, p.variation) for p in flag.config(PRODUCTION).prerequisites]


def patch(flag: Flag, *instructions: Mapping[str, Any]) -> Flag:
    return patched(flag, *instructions, others=[BOOLEAN, a_boolean("other")])


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        pytest.param([ADD], [(BOOLEAN.key, 0)], id="add"),
        pytest.param([ADD, {**ADD, "variationId": "no"}], [(BOOLEAN.key, 1)], id="add-again"),
        pytest.param(
            [ADD, {**ADD, "key": "other"}], [(BOOLEAN.key, 0), ("other", 0)], id="add-two"
        ),
        pytest.param([ADD, {"kind": "removePrerequisite", "key": BOOLEAN.key}], [], id="remove"),
        pytest.param([{"kind": "removePrerequisite", "key": "nope"}], [], id="remove-unknown"),
        pytest.param(
            [
                ADD,
                {**ADD, "key": "other"},
                {"kind": "updatePrerequisite", "key": BOOLEAN.key, "variationId": "no"},
            ],
            [(BOOLEAN.key, 1), ("other", 0)],
            id="update-keeps-the-order",
        ),
        pytest.param(
            [
                ADD,
                {
                    "kind": "replacePrerequisites",
                    "prerequisites": [
                        {"key": "other", "variationId": "yes"},
                        {"key": BOOLEAN.key, "variationId": "yes"},
                        {"key": "other", "variationId": "no"},
                    ],
                },
            ],
            [("other", 1), (BOOLEAN.key, 0)],
            id="replace",
        ),
        pytest.param(
            [ADD, {"kind": "replacePrerequisites", "prerequisites": []}], [], id="replace-all"
        ),
    ],
)
def test_change(instructions: list[Mapping[str, Any]], expected: list[tuple[str, int]]) -> None:
    assert of(patch(STAGED, *instructions)) == expected


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        pytest.param(
            {**ADD, "key": "nope"},
            "instructions[0] (addPrerequisite): prerequisite flag 'nope' does not exist",
            id="unknown",
        ),
        pytest.param(
            {**ADD, "key": "a b"},
            "instructions[0] (addPrerequisite): key: String should match",
            id="no-key",
        ),
        pytest.param(
            {**ADD, "variationId": "v-off"},
            "instructions[0] (addPrerequisite): variation 'v-off' is not of flag 'articles-service'"
            ", which has yes (True), no (False)",
            id="variation-of-this-flag",
        ),
        pytest.param(
            {**ADD, "kind": "updatePrerequisite"},
            "instructions[0] (updatePrerequisite): flag 'publishing' has no prerequisite "
            "'articles-service'",
            id="update-of-none",
        ),
        pytest.param(
            {**ADD, "key": STAGED.key, "variationId": "v-off"},
            "instructions[0] (addPrerequisite): prerequisite 'publishing' would make a cycle with "
            "'publishing'",
            id="itself",
        ),
        pytest.param(
            {
                "kind": "replacePrerequisites",
                "prerequisites": [{"key": "nope", "variationId": "yes"}],
            },
            "instructions[0] (replacePrerequisites): prerequisite flag 'nope' does not exist",
            id="replace-by-unknown",
        ),
        pytest.param(
            {"kind": "replacePrerequisites", "prerequisites": [{"key": BOOLEAN.key}]},
            "instructions[0] (replacePrerequisites): prerequisites.0.variationId: Field required",
            id="replace-by-half",
        ),
        pytest.param(
            {"kind": "removePrerequisite"},
            "instructions[0] (removePrerequisite): key: Field required",
            id="remove-what",
        ),
    ],
)
def test_refused(instruction: Mapping[str, Any], message: str) -> None:
    with pytest.raises(Rejected) as caught:
        patch(STAGED, instruction)
    assert str(caught.value) == message or str(caught.value).startswith(f"{message} pattern")


@pytest.mark.parametrize("kind", ["addPrerequisite", "replacePrerequisites"])
def test_they_must_not_go_round(kind: str) -> None:
    others = [needs("middle", "end"), needs("end", STAGED.key)]
    one = {"key": "middle", "variationId": "yes"}
    instruction = {"prerequisites": [one]} if kind.startswith("replace") else one
    with pytest.raises(Rejected, match="'middle' would make a cycle with 'publishing'"):
        patched(STAGED, {"kind": kind, **instruction}, others=others)


def test_a_cycle_through_two_environments_is_none() -> None:
    others = [needs("end", STAGED.key, environment="staging")]
    add = {**ADD, "key": "end"}
    assert of(patched(STAGED, add, others=others)) == [("end", 0)]
    with pytest.raises(Rejected, match="cycle"):
        patched(STAGED, add, others=others, environment="staging")


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param("c", True, id="itself"),
        pytest.param("b", True, id="directly"),
        pytest.param("a", True, id="far"),
        pytest.param("d", False, id="other-way"),
        pytest.param("x", False, id="in-a-cycle-of-others"),
        pytest.param("nope", False, id="unknown"),
    ],
)
def test_leads_to(start: str, expected: bool) -> None:
    flags = [needs("a", "b", "d"), needs("b", "c"), needs("c", "d"), needs("d")]
    cycle = [needs("x", "y"), needs("y", "x")]
    world = Known(*flags, *cycle).world()
    assert leads_to(start, "c", PRODUCTION, world) is expected


def test_a_long_chain_is_no_deep_recursion() -> None:
    chain = [needs(f"f{i}", f"f{i + 1}") for i in range(3000)]
    assert leads_to("f0", "f3000", PRODUCTION, Known(*chain).world())


def test_an_archived_flag_is_refused() -> None:
    with pytest.raises(Rejected, match="'articles-service' is archived: restore it first"):
        patched(STAGED, ADD, others=[a_boolean(archived=True)])
