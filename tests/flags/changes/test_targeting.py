"""The switch, the default rule, individual targets: in one environment each."""

from collections.abc import Mapping
from typing import Any

import pytest

from flag_builders import (
    FALLTHROUGH,
    OFF,
    ON,
    PRODUCTION,
    a_boolean,
    a_staged,
    patched,
    within,
)
from flags.errors import Rejected
from flags.model import Config, Flag

Instruction = Mapping[str, Any]
STAGED = a_staged()


def config(flag: Flag) -> Config:
    return flag.config(PRODUCTION)


def targets(flag: Flag) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(t.context_kind, t.variation, t.values) for t in config(flag).targets]


def target(kind: str, stage: str, *values: str, context: str = "user") -> Instruction:
    return {"kind": kind, "contextKind": context, "variationId": f"v-{stage}", "values": values}


@pytest.mark.parametrize(
    ("instructions", "changes"),
    [
        pytest.param([ON], {"on": True}, id="on"),
        pytest.param([ON, OFF], {"on": False}, id="on-off"),
        pytest.param(
            [{"kind": "updateOffVariation", "variationId": "v-live"}],
            {"off_variation": 3},
            id="off-variation",
        ),
        pytest.param(
            [{"kind": "updateTrackEvents", "trackEvents": True}], {"track_events": True}, id="track"
        ),
        pytest.param(
            [{"kind": "updateTrackEventsFallthrough", "trackEvents": True}],
            {"track_events_fallthrough": True},
            id="track-fallthrough",
        ),
    ],
)
def test_simple(instructions: list[Instruction], changes: dict[str, Any]) -> None:
    assert patched(STAGED, *instructions) == within(STAGED, **changes)


def test_what_has_no_effect_touches_nothing() -> None:
    assert patched(STAGED, OFF, {"kind": "clearTargets"}) is STAGED


def test_other_environments_stay() -> None:
    flag = patched(within(STAGED, "staging", off_variation=2), ON)
    assert set(flag.environments) == {PRODUCTION, "staging"}
    assert flag.config("staging").off_variation == 2
    assert not flag.config("staging").on


@pytest.mark.parametrize("instruction", [ON, {"kind": "removeRule", "ruleId": "r"}], ids=str)
def test_an_environment_has_to_be_named(instruction: Instruction) -> None:
    with pytest.raises(Rejected) as caught:
        patched(STAGED, instruction, environment=None)
    assert str(caught.value) == (
        f"instructions[0] ({instruction['kind']}): "
        "expected environmentKey beside instructions: this changes one of them"
    )


def test_fallthrough_of_one_variation() -> None:
    served = config(patched(STAGED, {"kind": FALLTHROUGH, "variationId": "v-live"})).fallthrough
    assert (served.variation, served.rollout) == (3, None)


def test_rollout_is_in_the_order_of_the_variations() -> None:
    """Whatever order the client names them in: a growing share of live only adds contexts."""
    flag = patched(
        STAGED,
        {
            "kind": FALLTHROUGH,
            "rolloutContextKind": "account",
            "rolloutBucketBy": "country",
            "rolloutWeights": {"v-live": 5_000, "v-shadow": 95_000},
        },
    )
    rollout = config(flag).fallthrough.rollout
    assert rollout is not None
    assert (rollout.context_kind, rollout.bucket_by) == ("account", "country")
    assert [(v.variation, v.weight) for v in rollout.variations] == [(2, 95_000), (3, 5_000)]


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        pytest.param(
            [target("addTargets", "live", "a", "b", "a")], [("user", 3, ("a", "b"))], id="add"
        ),
        pytest.param(
            [target("addTargets", "live", "a"), target("addTargets", "live", "b", "a")],
            [("user", 3, ("a", "b"))],
            id="add-to-existing",
        ),
        pytest.param(
            [target("addTargets", "live", "a", "b"), target("addTargets", "off", "a")],
            [("user", 3, ("b",)), ("user", 0, ("a",))],
            id="adding-moves",
        ),
        pytest.param(
            [target("addTargets", "live", "a"), target("addTargets", "off", "a")],
            [("user", 0, ("a",))],
            id="moving-the-last-one",
        ),
        pytest.param(
            [target("addTargets", "live", "a"), target("addTargets", "off", "a", context="org")],
            [("user", 3, ("a",)), ("org", 0, ("a",))],
            id="kinds-are-apart",
        ),
        pytest.param([target("addTargets", "live")], [], id="add-nothing"),
        pytest.param(
            [target("addUserTargets", "live", "a"), target("removeUserTargets", "live", "a")],
            [],
            id="old-names",
        ),
        pytest.param(
            [target("addTargets", "live", "a", "b"), target("removeTargets", "live", "a")],
            [("user", 3, ("b",))],
            id="remove",
        ),
        pytest.param(
            [target("addTargets", "live", "a"), target("removeTargets", "live", "a", "z")],
            [],
            id="remove-the-last-one",
        ),
        pytest.param(
            [
                target("addTargets", "live", "a"),
                target("removeTargets", "off", "a"),
                target("removeTargets", "live", "a", context="org"),
            ],
            [("user", 3, ("a",))],
            id="remove-names-variation-and-kind",
        ),
        pytest.param([target("addTargets", "live", "a"), {"kind": "clearTargets"}], [], id="clear"),
        pytest.param(
            [
                target("addTargets", "live", "a"),
                target("addTargets", "off", "b"),
                {"kind": "clearTargets", "variationId": "v-live"},
            ],
            [("user", 0, ("b",))],
            id="clear-one-variation",
        ),
        pytest.param(
            [
                target("addTargets", "live", "a"),
                {
                    "kind": "replaceTargets",
                    "targets": [
                        {"variationId": "v-off", "values": ["x", "x"]},
                        {"variationId": "v-live", "values": []},
                        {"variationId": "v-off", "values": ["y"]},
                        {"variationId": "v-live", "values": ["x"], "contextKind": "org"},
                    ],
                },
            ],
            [("user", 0, ("x", "y")), ("org", 3, ("x",))],
            id="replace",
        ),
        pytest.param(
            [target("addTargets", "live", "a"), {"kind": "replaceTargets", "targets": []}],
            [],
            id="replace-by-nothing",
        ),
    ],
)
def test_targets(
    instructions: list[Instruction], expected: list[tuple[str, int, tuple[str, ...]]]
) -> None:
    assert targets(patched(STAGED, *instructions)) == expected


WHERE = f"instructions[0] ({FALLTHROUGH}): "


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        pytest.param(
            {"kind": "updateOffVariation"},
            "instructions[0] (updateOffVariation): variationId: Field required",
            id="missing-field",
        ),
        pytest.param(
            {"kind": "turnFlagOn", "now": True},
            "instructions[0] (turnFlagOn): now: Extra inputs are not permitted",
            id="unknown-field",
        ),
        pytest.param(
            {"kind": "updateOffVariation", "variationId": "live"},
            "instructions[0] (updateOffVariation): variation 'live' is not of flag 'publishing', "
            "which has v-off ('off'), v-dualwrite ('dualwrite'), ",
            id="unknown-variation",
        ),
        pytest.param(
            {"kind": FALLTHROUGH},
            f"{WHERE}expected variationId or rolloutWeights, one of them",
            id="neither",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "variationId": "v-off", "rolloutWeights": {"v-off": 1}},
            f"{WHERE}expected variationId or rolloutWeights, one of them",
            id="both",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "rolloutWeights": {"v-off": 90_000, "v-live": 5_000}},
            f"{WHERE}weights sum to 95000, expected 100000",
            id="weights-do-not-add-up",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "rolloutWeights": {"v-off": 100_001, "v-live": -1}},
            f"{WHERE}weight: Input should be ",
            id="negative-weight",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "rolloutWeights": {"v-off": 0.5}},
            f"{WHERE}rolloutWeights.v-off: Input should be a valid integer",
            id="fraction",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "rolloutWeights": {}}, f"{WHERE}variations: ", id="no-weights"
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "rolloutWeights": {"nope": 100_000}},
            f"{WHERE}variation 'nope' is not of flag",
            id="weight-of-an-unknown-variation",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "variationId": "v-off", "rolloutContextKind": "a b"},
            f"{WHERE}rolloutContextKind: String should match",
            id="context-kind",
        ),
        pytest.param(
            {"kind": "updateTrackEvents"},
            "instructions[0] (updateTrackEvents): trackEvents: Field required",
            id="track-what",
        ),
        pytest.param(
            {"kind": "addTargets", "variationId": "v-off", "values": "alice"},
            "instructions[0] (addTargets): values: Input should be a valid list",
            id="no-list",
        ),
        pytest.param(
            {"kind": "addTargets", "variationId": "v-off", "values": ["x" * 513]},
            "instructions[0] (addTargets): values.0: String should have at most 512 characters",
            id="long-value",
        ),
        pytest.param(
            {"kind": "addTargets", "variationId": "v-off", "values": ["\ud800"]},
            "instructions[0] (addTargets): values.0: ",
            id="lone-surrogate",
        ),
        pytest.param(
            {"kind": "addTargets", "variationId": "v-off", "values": ["a"] * 10_001},
            "instructions[0] (addTargets): values: List should have at most 10000 items",
            id="too-many-values",
        ),
        pytest.param(
            {"kind": "addTargets", "variationId": "v-off", "values": [], "contextKind": ""},
            "instructions[0] (addTargets): contextKind: String should match",
            id="target-context-kind",
        ),
        pytest.param(
            {"kind": "removeTargets", "variationId": "nope", "values": []},
            "instructions[0] (removeTargets): variation 'nope' is not of flag",
            id="remove-from-unknown-variation",
        ),
        pytest.param(
            {"kind": "replaceTargets"},
            "instructions[0] (replaceTargets): targets: Field required",
            id="replace-by-what",
        ),
        pytest.param(
            {
                "kind": "replaceTargets",
                "targets": [
                    {"variationId": "v-off", "values": ["a"]},
                    {"variationId": "v-live", "values": ["a"]},
                ],
            },
            "instructions[0] (replaceTargets): user 'a' is given two variations",
            id="target-of-two-variations",
        ),
    ],
)
def test_refused(instruction: Instruction, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        patched(STAGED, instruction)
    assert str(caught.value).startswith(message)
    assert "errors.pydantic.dev" not in str(caught.value)


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        pytest.param(
            {"kind": "turnFlagOnn"},
            "instructions[0].kind: unknown instruction 'turnFlagOnn'; did you mean 'turnFlagOn'?",
            id="misspelt",
        ),
        pytest.param({}, "instructions[0].kind: unknown instruction 'None'; known: ", id="no-kind"),
        pytest.param(
            {"kind": ["turnFlagOn"]}, "instructions[0].kind: unknown instruction ", id="no-text"
        ),
        pytest.param(
            {"kind": "q" * 9999},
            f"instructions[0].kind: unknown instruction '{'q' * 100}'; known: ",
            id="long",
        ),
        pytest.param(
            {"kind": "addIncludedTargets"},
            "instructions[0].kind: unknown instruction 'addIncludedTargets'; ",
            id="of-a-segment",
        ),
    ],
)
def test_unknown_instruction(instruction: Instruction, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        patched(STAGED, instruction)
    assert str(caught.value).startswith(message)


def test_the_place_is_that_of_the_first_that_fails() -> None:
    with pytest.raises(Rejected, match=r"^instructions\[2\] \(removeRule\): there is no rule 'r'"):
        patched(a_boolean(), ON, OFF, {"kind": "removeRule", "ruleId": "r"}, {"kind": "nope"})
