"""Each instruction of the semantic patch: its effect, and its message when it cannot be done."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.errors import Rejected
from flags.instructions import World
from flags.model import FULL_WEIGHT, STAGES, Flag, Prerequisite
from flags.patch import apply

Instruction = Mapping[str, Any]
FALLTHROUGH = "updateFallthroughVariationOrRollout"


class Flags:
    """The world of one flag: others that it may need, and ids that count up."""

    def __init__(self, *others: Flag) -> None:
        self.by_key = {flag.key: flag for flag in others}
        self.made = 0

    def new_id(self) -> str:
        self.made += 1
        return f"id-{self.made}"

    @property
    def world(self) -> World:
        return World(flag=self.by_key.get, new_id=self.new_id)


def patched(flag: Flag, *instructions: Instruction, others: tuple[Flag, ...] = ()) -> Flag:
    return apply(flag, instructions, Flags(flag, *others).world)


def targets(flag: Flag) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(t.context_kind, t.variation, t.values) for t in flag.targets]


def target(kind: str, stage: str, *values: str, context: str = "user") -> Instruction:
    return {"kind": kind, "contextKind": context, "variationId": f"v-{stage}", "values": values}


CLAUSE = {"contextKind": "user", "attribute": "plan", "op": "in", "values": ["internal"]}


def rule(stage: str, **fields: Any) -> Instruction:
    return {"kind": "addRule", "clauses": [CLAUSE], "variationId": f"v-{stage}", **fields}


@pytest.mark.parametrize(
    ("instructions", "changes"),
    [
        pytest.param([{"kind": "turnFlagOn"}], {"on": True}, id="on"),
        pytest.param([{"kind": "turnFlagOn"}, {"kind": "turnFlagOff"}], {}, id="on-off"),
        pytest.param(
            [{"kind": "updateOffVariation", "variationId": "v-live"}],
            {"off_variation": 3},
            id="off-variation",
        ),
        pytest.param([{"kind": "updateName", "value": "N"}], {"name": "N"}, id="name"),
        pytest.param(
            [{"kind": "updateDescription", "value": "D"}], {"description": "D"}, id="description"
        ),
        pytest.param(
            [{"kind": "addTags", "values": ["b", "a", "b"]}], {"tags": ("b", "a")}, id="tags"
        ),
        pytest.param(
            [
                {"kind": "addTags", "values": ["a", "b"]},
                {"kind": "removeTags", "values": ["a", "z"]},
            ],
            {"tags": ("b",)},
            id="remove-tags",
        ),
        pytest.param([{"kind": "archiveFlag"}], {"archived": True}, id="archive"),
        pytest.param([{"kind": "archiveFlag"}, {"kind": "restoreFlag"}], {}, id="restore"),
    ],
)
def test_simple(staged: Flag, instructions: list[Instruction], changes: dict[str, Any]) -> None:
    assert patched(staged, *instructions) == staged.changed(**changes)


def test_fallthrough_of_one_variation(staged: Flag) -> None:
    flag = patched(staged, {"kind": FALLTHROUGH, "variationId": "v-live"})
    assert (flag.fallthrough.variation, flag.fallthrough.rollout) == (3, None)


def test_rollout_is_in_the_order_of_the_variations(staged: Flag) -> None:
    """Whatever order the client names them in: a growing share of live only adds contexts."""
    flag = patched(
        staged,
        {
            "kind": FALLTHROUGH,
            "rolloutContextKind": "account",
            "rolloutBucketBy": "country",
            "rolloutWeights": {"v-live": 5_000, "v-shadow": 95_000},
        },
    )
    rollout = flag.fallthrough.rollout
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
                {
                    "kind": "replaceTargets",
                    "targets": [
                        {"variationId": "v-off", "values": ["x", "x"]},
                        {"variationId": "v-live", "values": []},
                        {"variationId": "v-off", "values": ["y"]},
                    ],
                },
            ],
            [("user", 0, ("x", "y"))],
            id="replace",
        ),
    ],
)
def test_targets(
    staged: Flag,
    instructions: list[Instruction],
    expected: list[tuple[str, int, tuple[str, ...]]],
) -> None:
    assert targets(patched(staged, *instructions)) == expected


def test_rule(staged: Flag) -> None:
    flag = patched(staged, rule("live", description="staff first"))
    (added,) = flag.rules
    assert (added.description, added.serve.variation) == ("staff first", 3)
    (clause,) = added.clauses
    assert (clause.attribute, clause.op, clause.values, clause.negate) == (
        "plan", "in", ("internal",), False,
    )  # fmt: skip
    assert len({added.id, clause.id}) == 2


def test_order_of_rules(staged: Flag) -> None:
    def order(flag: Flag) -> list[object]:
        return [r.serve.variation for r in flag.rules]

    flags = Flags(staged)
    flag = apply(staged, [rule("off"), rule("live")], flags.world)
    flag = apply(flag, [rule("shadow", beforeRuleId=flag.rules[1].id)], flags.world)
    assert order(flag) == [0, 2, 3]
    ids = [r.id for r in flag.rules]
    flag = apply(flag, [{"kind": "reorderRules", "ruleIds": ids[::-1]}], flags.world)
    assert order(flag) == [3, 2, 0]
    flag = apply(flag, [{"kind": "removeRule", "ruleId": ids[1]}], flags.world)
    assert order(flag) == [3, 0]
    update = {"kind": "updateRuleVariationOrRollout", "ruleId": ids[0]}
    flag = apply(flag, [{**update, "rolloutWeights": {"v-live": FULL_WEIGHT}}], flags.world)
    assert order(flag) == [3, None]
    assert flag.rules[1].id == ids[0]


def test_prerequisite(staged: Flag, boolean: Flag) -> None:
    add = {"kind": "addPrerequisite", "key": boolean.key, "variationId": "yes"}
    flag = patched(staged, add, others=(boolean,))
    assert flag.prerequisites == (Prerequisite(key=boolean.key, variation=0),)
    flag = patched(flag, {**add, "variationId": "no"}, others=(boolean,))
    assert flag.prerequisites == (Prerequisite(key=boolean.key, variation=1),)
    flag = patched(flag, {"kind": "removePrerequisite", "key": boolean.key})
    assert flag.prerequisites == ()


def test_prerequisites_must_not_go_round(staged: Flag, boolean: Flag) -> None:
    middle = boolean.changed(key="middle", prerequisites=(Prerequisite(key="end", variation=0),))
    end = boolean.changed(key="end", prerequisites=(Prerequisite(key=staged.key, variation=0),))
    add = {"kind": "addPrerequisite", "variationId": "yes"}
    with pytest.raises(Rejected, match="'middle' would make a cycle with 'publishing'"):
        patched(staged, {**add, "key": "middle"}, others=(middle, end))
    with pytest.raises(Rejected, match="'publishing' would make a cycle with 'publishing'"):
        patched(staged, {**add, "key": staged.key, "variationId": "v-off"})


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
            {"kind": "turnFlagOn", "now": True},
            "instructions[0] (turnFlagOn): now: Extra inputs are not permitted",
            id="unknown-field",
        ),
        pytest.param(
            {"kind": "updateOffVariation"},
            "instructions[0] (updateOffVariation): variationId: Field required",
            id="missing-field",
        ),
        pytest.param(
            {"kind": "updateOffVariation", "variationId": "live"},
            "instructions[0] (updateOffVariation): variation 'live' is not of flag 'publishing', "
            "which has v-off ('off'), v-dualwrite ('dualwrite'), ",
            id="unknown-variation",
        ),
        pytest.param(
            {"kind": FALLTHROUGH},
            f"instructions[0] ({FALLTHROUGH}): expected variationId or rolloutWeights, one of them",
            id="neither",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "variationId": "v-off", "rolloutWeights": {"v-off": 1}},
            f"instructions[0] ({FALLTHROUGH}): expected variationId or rolloutWeights, one of them",
            id="both",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "rolloutWeights": {"v-off": 90_000, "v-live": 5_000}},
            f"instructions[0] ({FALLTHROUGH}): weights sum to 95000, expected 100000",
            id="weights-do-not-add-up",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "rolloutWeights": {"v-off": 100_001, "v-live": -1}},
            f"instructions[0] ({FALLTHROUGH}): weight: Input should be ",
            id="negative-weight",
        ),
        pytest.param(
            {"kind": FALLTHROUGH, "rolloutWeights": {}},
            f"instructions[0] ({FALLTHROUGH}): variations: ",
            id="no-weights",
        ),
        pytest.param(
            {"kind": "addTargets", "variationId": "v-off", "values": "alice"},
            "instructions[0] (addTargets): values: Input should be a valid list",
            id="no-list",
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
        pytest.param(
            {"kind": "addRule", "clauses": [], "variationId": "v-off"},
            "instructions[0] (addRule): clauses: ",
            id="rule-without-clause",
        ),
        pytest.param(
            {"kind": "addRule", "clauses": [{**CLAUSE, "op": "is"}], "variationId": "v-off"},
            "instructions[0] (addRule): clauses.0.op: Input should be 'in', ",
            id="unknown-operator",
        ),
        pytest.param(
            {
                "kind": "addRule",
                "clauses": [{**CLAUSE, "values": [float("inf")]}],
                "variationId": "v-off",
            },
            "instructions[0] (addRule): values: Out of range float values",
            id="infinite-value",
        ),
        pytest.param(
            rule("off", beforeRuleId="r1"),
            "instructions[0] (addRule): rule 'r1' is not of flag 'publishing'",
            id="before-an-unknown-rule",
        ),
        pytest.param(
            {"kind": "removeRule", "ruleId": "r1"},
            "instructions[0] (removeRule): rule 'r1' is not of flag 'publishing'",
            id="unknown-rule",
        ),
        pytest.param(
            {"kind": "reorderRules", "ruleIds": ["r1"]},
            "instructions[0] (reorderRules): ruleIds must name every rule of the flag once",
            id="order-of-others",
        ),
        pytest.param(
            {"kind": "addPrerequisite", "key": "nope", "variationId": "yes"},
            "instructions[0] (addPrerequisite): prerequisite flag 'nope' does not exist",
            id="unknown-prerequisite",
        ),
        pytest.param(
            {"kind": "addTags", "values": ["a b"]},
            "instructions[0] (addTags): values.0: String should match pattern",
            id="bad-tag",
        ),
        pytest.param(
            {"kind": "updateName", "value": ""},
            "instructions[0] (updateName): value: String should have at least 1 character",
            id="empty-name",
        ),
    ],
)
def test_refused(staged: Flag, instruction: Instruction, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        patched(staged, instruction)
    assert str(caught.value).startswith(message)


stages = st.sampled_from(STAGES)
variation = st.builds("v-{}".format, stages)
keys = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)
kinds = st.sampled_from(["user", "org"])


@st.composite
def weights(draw: st.DrawFn) -> dict[str, int]:
    names = draw(st.lists(variation, min_size=1, max_size=6, unique=True))
    cuts = sorted(
        draw(
            st.lists(st.integers(0, FULL_WEIGHT), min_size=len(names) - 1, max_size=len(names) - 1)
        )
    )
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, FULL_WEIGHT], strict=True)]
    return dict(zip(names, shares, strict=True))


def instruction(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"kind": st.just(kind), **fields})


def served(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return instruction(kind, variationId=variation, **fields) | instruction(
        kind, rolloutWeights=weights(), rolloutContextKind=kinds, **fields
    )


clauses = st.just([CLAUSE])
any_instruction = st.one_of(
    instruction("turnFlagOn"),
    instruction("turnFlagOff"),
    instruction("updateOffVariation", variationId=variation),
    served(FALLTHROUGH),
    served("addRule", clauses=clauses),
    instruction("addTargets", contextKind=kinds, variationId=variation, values=keys),
    instruction("removeTargets", contextKind=kinds, variationId=variation, values=keys),
    instruction("clearTargets"),
    instruction("addTags", values=st.lists(st.sampled_from(["ops", "x"]))),
    instruction("removeTags", values=st.lists(st.sampled_from(["ops", "x"]))),
    instruction("addPrerequisite", key=st.just("articles-service"), variationId=st.just("yes")),
    instruction("removePrerequisite", key=st.just("articles-service")),
    instruction("archiveFlag"),
    instruction("restoreFlag"),
)


@given(st.lists(any_instruction, max_size=12))
def test_any_sequence_keeps_a_valid_flag(
    staged: Flag, boolean: Flag, instructions: list[Instruction]
) -> None:
    flag = patched(staged, *instructions, others=(boolean,))
    assert Flag.model_validate_json(flag.model_dump_json()) == flag
    serves = [flag.fallthrough, *(r.serve for r in flag.rules)]
    for rollout in (serve.rollout for serve in serves if serve.rollout is not None):
        indexes = [v.variation for v in rollout.variations]
        assert sum(v.weight for v in rollout.variations) == FULL_WEIGHT
        assert indexes == sorted(set(indexes))
        assert 0 <= indexes[0] <= indexes[-1] < len(flag.variations)
    owners = [(t.context_kind, value) for t in flag.targets for value in t.values]
    assert len(owners) == len(set(owners)), "a context has two variations"
    assert all(t.values for t in flag.targets)
    assert (flag.key, flag.variations, flag.salt, flag.version) == (
        staged.key, staged.variations, staged.salt, staged.version,
    )  # fmt: skip


@given(st.lists(any_instruction, max_size=6), st.integers(0, 6))
def test_one_bad_instruction_refuses_all(
    staged: Flag, boolean: Flag, instructions: list[Instruction], at: int
) -> None:
    at = min(at, len(instructions))
    with pytest.raises(Rejected, match=rf"^instructions\[{at}\]"):
        patched(staged, *instructions[:at], {"kind": "nope"}, *instructions[at:], others=(boolean,))
