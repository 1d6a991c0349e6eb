"""Rules and their clauses."""

from collections.abc import Mapping
from typing import Any

import pytest

from flag_builders import CLAUSE, PRODUCTION, a_segment, a_staged, patched
from flags.errors import Rejected
from flags.model import FULL_WEIGHT, Clause, Flag, Rule

Instruction = Mapping[str, Any]
STAGED = a_staged()
BETA = a_segment()
IN_BETA = {"op": "segmentMatch", "values": ["beta"]}


def a_rule(stage: str, **fields: Any) -> Instruction:
    return {"kind": "addRule", "clauses": [CLAUSE], "variationId": f"v-{stage}", **fields}


def rules(flag: Flag) -> tuple[Rule, ...]:
    return flag.config(PRODUCTION).rules


def order(flag: Flag) -> list[int | None]:
    return [r.serve.variation for r in rules(flag)]


def clauses(flag: Flag) -> tuple[Clause, ...]:
    (rule,) = rules(flag)
    return rule.clauses


@pytest.fixture(scope="module")
def three() -> Flag:
    """With rules that give off, live and shadow; their ids are id-1, id-3 and id-5."""
    return patched(STAGED, a_rule("off"), a_rule("live"), a_rule("shadow"))


@pytest.fixture(scope="module")
def one() -> Flag:
    """With one rule, id-1, of the clauses id-2 and id-3."""
    plan = {**CLAUSE, "values": ["internal", 1, "beta"]}
    return patched(STAGED, a_rule("live", clauses=[plan, {**CLAUSE, "negate": True}]))


def test_add() -> None:
    flag = patched(STAGED, a_rule("live", description="staff first", trackEvents=True))
    (added,) = rules(flag)
    assert (added.description, added.serve.variation) == ("staff first", 3)
    assert added.track_events
    (clause,) = added.clauses
    assert (clause.attribute, clause.op, clause.values, clause.negate, clause.context_kind) == (
        "plan", "in", ("internal",), False, "user",
    )  # fmt: skip
    assert len({added.id, clause.id}) == 2


def test_a_rollout() -> None:
    weights = {"v-live": 1, "v-off": FULL_WEIGHT - 1}
    flag = patched(STAGED, {"kind": "addRule", "clauses": [CLAUSE], "rolloutWeights": weights})
    rollout = rules(flag)[0].serve.rollout
    assert rollout is not None
    assert [(v.variation, v.weight) for v in rollout.variations] == [(0, FULL_WEIGHT - 1), (3, 1)]


def test_ids_of_clauses_that_clients_send_back_are_not_taken_over() -> None:
    flag = patched(STAGED, a_rule("live", clauses=[{**CLAUSE, "_id": "theirs"}]))
    assert clauses(flag)[0].id != "theirs"


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        pytest.param(a_rule("complete"), [0, 3, 2, 5], id="last"),
        pytest.param(a_rule("complete", beforeRuleId="id-1"), [5, 0, 3, 2], id="first"),
        pytest.param(a_rule("complete", beforeRuleId="id-5"), [0, 3, 5, 2], id="between"),
        pytest.param({"kind": "removeRule", "ruleId": "id-3"}, [0, 2], id="remove"),
        pytest.param(
            {"kind": "reorderRules", "ruleIds": ["id-5", "id-1", "id-3"]}, [2, 0, 3], id="reorder"
        ),
        pytest.param(
            {"kind": "updateRuleVariationOrRollout", "ruleId": "id-3", "variationId": "v-complete"},
            [0, 5, 2],
            id="variation",
        ),
        pytest.param(
            {
                "kind": "updateRuleVariationOrRollout",
                "ruleId": "id-1",
                "rolloutWeights": {"v-live": FULL_WEIGHT},
            },
            [None, 3, 2],
            id="rollout",
        ),
        pytest.param({"kind": "replaceRules", "rules": []}, [], id="replace-by-nothing"),
        pytest.param(
            {
                "kind": "replaceRules",
                "rules": [{"clauses": [CLAUSE], "variationId": "v-live", "description": "d"}],
            },
            [3],
            id="replace",
        ),
    ],
)
def test_order(three: Flag, instruction: Instruction, expected: list[int | None]) -> None:
    changed = patched(three, instruction)
    assert order(changed) == expected
    known = {r.id: r.clauses for r in rules(three)}
    if instruction["kind"] != "replaceRules":
        assert all(known[r.id] == r.clauses for r in rules(changed) if r.id in known)


@pytest.mark.parametrize(
    ("instruction", "changes"),
    [
        pytest.param(
            {"kind": "updateRuleDescription", "ruleId": "id-3", "description": "d"},
            {"description": "d"},
            id="description",
        ),
        pytest.param(
            {"kind": "updateRuleTrackEvents", "ruleId": "id-3", "trackEvents": True},
            {"track_events": True},
            id="track-events",
        ),
    ],
)
def test_one_rule_is_changed(
    three: Flag, instruction: Instruction, changes: dict[str, Any]
) -> None:
    first, second, third = rules(three)
    assert rules(patched(three, instruction)) == (first, second.changed(**changes), third)


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        pytest.param(
            {"kind": "addClauses", "clauses": [{**CLAUSE, "attribute": "country"}]},
            ["plan", "plan", "country"],
            id="add",
        ),
        pytest.param({"kind": "removeClauses", "clauseIds": ["id-2"]}, ["plan"], id="remove"),
        pytest.param(
            {
                "kind": "updateClause",
                "clauseId": "id-3",
                "clause": {**CLAUSE, "attribute": "country"},
            },
            ["plan", "country"],
            id="update",
        ),
    ],
)
def test_clauses(one: Flag, instruction: Instruction, expected: list[str]) -> None:
    changed = clauses(patched(one, {"ruleId": "id-1", **instruction}))
    assert [c.attribute for c in changed] == expected
    known = [c.id for c in clauses(one)]
    assert [c.id for c in changed if c.id in known] == known[-len(changed) :][: len(changed)]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        pytest.param("add", ["x"], ("internal", 1, "beta", "x"), id="add"),
        pytest.param("add", ["beta", "x", "x"], ("internal", 1, "beta", "x"), id="add-known"),
        pytest.param("add", [True], ("internal", 1, "beta", True), id="true-is-not-1"),
        pytest.param("add", [1.0, {"a": 1}, {"a": True}, {"a": 1}],
                     ("internal", 1, "beta", {"a": 1}, {"a": True}), id="add-objects"),
        pytest.param("remove", ["beta", "nope"], ("internal", 1), id="remove"),
        pytest.param("remove", [True], ("internal", 1, "beta"), id="remove-true"),
        pytest.param("remove", [1], ("internal", "beta"), id="remove-1"),
        pytest.param("remove", ["internal", 1, "beta"], (), id="remove-all"),
    ],
)  # fmt: skip
def test_values(one: Flag, kind: str, values: list[Any], expected: tuple[Any, ...]) -> None:
    kind = {"add": "addValuesToClause", "remove": "removeValuesFromClause"}[kind]
    instruction = {"kind": kind, "ruleId": "id-1", "clauseId": "id-2", "values": values}
    changed, other = clauses(patched(one, instruction))
    assert repr(changed.values) == repr(expected)
    assert other == clauses(one)[1]


def test_true_instead_of_1_is_a_change(one: Flag) -> None:
    def update(value: object) -> Instruction:
        clause = {**CLAUSE, "values": [value]}
        return {"kind": "updateClause", "ruleId": "id-1", "clauseId": "id-2", "clause": clause}

    changed = patched(patched(one, update(1)), update(True))
    assert clauses(changed)[0].values[0] is True


def test_segments() -> None:
    flag = patched(STAGED, a_rule("live", clauses=[IN_BETA]), others=[BETA])
    (clause,) = clauses(flag)
    assert (clause.op, clause.values, clause.attribute) == ("segmentMatch", ("beta",), "")


RULE = "instructions[0] (addRule): "


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        pytest.param(a_rule("off", clauses=[]), f"{RULE}clauses: List should", id="no-clause"),
        pytest.param(
            a_rule("off", clauses=[CLAUSE] * 101), f"{RULE}clauses: List should", id="many-clauses"
        ),
        pytest.param(
            a_rule("off", clauses=[{**CLAUSE, "op": "is"}]),
            f"{RULE}clauses.0.op: Input should be 'in', ",
            id="unknown-operator",
        ),
        pytest.param(
            a_rule("off", clauses=[{**CLAUSE, "values": [float("inf")]}]),
            f"{RULE}values: Out of range float values",
            id="infinite-value",
        ),
        pytest.param(
            a_rule("off", clauses=[{**CLAUSE, "attribute": ""}]),
            f"{RULE}attribute: expected the name of a context attribute",
            id="no-attribute",
        ),
        pytest.param(
            a_rule("off", clauses=[{**CLAUSE, "value": 1}]),
            f"{RULE}clauses.0.value: Extra inputs are not permitted",
            id="unknown-field",
        ),
        pytest.param(
            a_rule("off", clauses=[{**IN_BETA, "values": ["beta", "nope"]}]),
            f"{RULE}segment 'nope' does not exist",
            id="unknown-segment",
        ),
        pytest.param(
            a_rule("off", clauses=[{**IN_BETA, "values": [7]}]),
            f"{RULE}segment 7 does not exist",
            id="segment-that-is-no-text",
        ),
        pytest.param(
            a_rule("off", beforeRuleId="nope"),
            f"{RULE}there is no rule 'nope'; known: id-1",
            id="before-an-unknown-rule",
        ),
        pytest.param(
            {"kind": "addRule", "clauses": [CLAUSE]},
            f"{RULE}expected variationId or rolloutWeights, one of them",
            id="serves-nothing",
        ),
        pytest.param(
            a_rule("nope"), f"{RULE}variation 'v-nope' is not of flag", id="unknown-variation"
        ),
        pytest.param(
            a_rule("off", description="x" * 2001), f"{RULE}description: String", id="long"
        ),
        pytest.param(
            {"kind": "removeRule", "ruleId": "nope"},
            "instructions[0] (removeRule): there is no rule 'nope'; known: id-1",
            id="remove-unknown",
        ),
        pytest.param(
            {"kind": "updateRuleVariationOrRollout", "ruleId": "nope", "variationId": "v-off"},
            "instructions[0] (updateRuleVariationOrRollout): there is no rule 'nope'; known: id-1",
            id="update-unknown",
        ),
        pytest.param(
            {"kind": "updateRuleTrackEvents", "ruleId": "nope", "trackEvents": True},
            "instructions[0] (updateRuleTrackEvents): there is no rule 'nope'; known: id-1",
            id="track-unknown",
        ),
        pytest.param(
            {"kind": "updateRuleDescription", "ruleId": "nope", "description": ""},
            "instructions[0] (updateRuleDescription): there is no rule 'nope'; known: id-1",
            id="describe-unknown",
        ),
        pytest.param(
            {"kind": "reorderRules", "ruleIds": ["id-1", "id-1"]},
            "instructions[0] (reorderRules): ruleIds must name every rule once",
            id="order-with-one-twice",
        ),
        pytest.param(
            {"kind": "reorderRules", "ruleIds": []},
            "instructions[0] (reorderRules): ruleIds must name every rule once",
            id="order-of-nothing",
        ),
        pytest.param(
            {"kind": "replaceRules", "rules": [{"clauses": [CLAUSE]}]},
            "instructions[0] (replaceRules): expected variationId or rolloutWeights",
            id="replace-by-a-bad-one",
        ),
        pytest.param(
            {"kind": "removeClauses", "ruleId": "id-1", "clauseIds": ["id-2", "id-3"]},
            "instructions[0] (removeClauses): clauses: ",
            id="remove-all-clauses",
        ),
        pytest.param(
            {"kind": "removeClauses", "ruleId": "id-1", "clauseIds": ["nope"]},
            "instructions[0] (removeClauses): there is no clause 'nope'; known: id-2, id-3",
            id="unknown-clause",
        ),
        pytest.param(
            {"kind": "updateClause", "ruleId": "id-1", "clauseId": "nope", "clause": CLAUSE},
            "instructions[0] (updateClause): there is no clause 'nope'; known: id-2, id-3",
            id="update-unknown-clause",
        ),
        pytest.param(
            {"kind": "addClauses", "ruleId": "id-1", "clauses": [CLAUSE] * 99},
            "instructions[0] (addClauses): clauses: ",
            id="too-many-clauses",
        ),
        pytest.param(
            {"kind": "addValuesToClause", "ruleId": "id-1", "clauseId": "x", "values": []},
            "instructions[0] (addValuesToClause): there is no clause 'x'",
            id="values-of-unknown-clause",
        ),
        pytest.param(
            {
                "kind": "addValuesToClause",
                "ruleId": "id-1",
                "clauseId": "id-2",
                "values": [float("nan")],
            },
            "instructions[0] (addValuesToClause): values: Out of range float values",
            id="not-a-number",
        ),
        pytest.param(
            {"kind": "addValuesToClause", "ruleId": "id-1", "clauseId": "id-2"},
            "instructions[0] (addValuesToClause): values: Field required",
            id="no-values",
        ),
    ],
)
def test_refused(one: Flag, instruction: Instruction, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        patched(one, instruction, others=[BETA])
    assert str(caught.value).startswith(message)


def test_values_of_a_segment_clause_are_segments() -> None:
    flag = patched(STAGED, a_rule("live", clauses=[IN_BETA]), others=[BETA])
    add = {"kind": "addValuesToClause", "ruleId": "id-1", "clauseId": "id-2"}
    with pytest.raises(
        Rejected, match=r"^instructions\[0\] \(addValuesToClause\): segment 'nope' does not exist"
    ):
        patched(flag, {**add, "values": ["nope"]}, others=[BETA])
    changed = patched(flag, {**add, "values": ["alpha"]}, others=[BETA, a_segment("alpha")])
    assert clauses(changed)[0].values == ("beta", "alpha")


def test_there_are_at_most_200_rules(one: Flag) -> None:
    add = [a_rule("live")] * 100
    flag = patched(one, *add)
    with pytest.raises(Rejected, match=r"^instructions\[99\] \(addRule\): rules: .* 200 items"):
        patched(flag, *add)
