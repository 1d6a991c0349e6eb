"""Instructions that change a segment."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flag_builders import CLAUSE, Known, a_segment, patched_segment, segment_rule
from flags.changes.segments import reaches
from flags.errors import Rejected
from flags.model import Segment
from instruction_strategies import patient

Instruction = Mapping[str, Any]
BETA = a_segment()
MEMBERS = a_segment(
    included=[{"values": ["a", "b"]}, {"context_kind": "org", "values": ["acme"]}],
    excluded=[{"values": ["c"]}],
)


def change(kind: str, *values: str, context: str = "user") -> Instruction:
    return {"kind": kind, "contextKind": context, "values": values}


def members(segment: Segment) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    included = {t.context_kind: t.values for t in segment.included}
    excluded = {t.context_kind: t.values for t in segment.excluded}
    assert (len(included), len(excluded)) == (len(segment.included), len(segment.excluded))
    return included, excluded


@pytest.mark.parametrize(
    ("instruction", "included", "excluded"),
    [
        pytest.param(
            change("addIncludedTargets", "d", "a", "d"),
            {"user": ("a", "b", "d"), "org": ("acme",)},
            {"user": ("c",)},
            id="include",
        ),
        pytest.param(
            change("addIncludedTargets", "c"),
            {"user": ("a", "b", "c"), "org": ("acme",)},
            {},
            id="include-the-excluded",
        ),
        pytest.param(
            change("addExcludedTargets", "a", "b"),
            {"org": ("acme",)},
            {"user": ("c", "a", "b")},
            id="exclude-the-included",
        ),
        pytest.param(
            change("addExcludedTargets", "a", context="org"),
            {"user": ("a", "b"), "org": ("acme",)},
            {"user": ("c",), "org": ("a",)},
            id="kinds-are-apart",
        ),
        pytest.param(
            change("removeIncludedTargets", "a", "z"),
            {"user": ("b",), "org": ("acme",)},
            {"user": ("c",)},
            id="remove-included",
        ),
        pytest.param(
            change("removeIncludedTargets", "acme", context="org"),
            {"user": ("a", "b")},
            {"user": ("c",)},
            id="remove-the-last-of-a-kind",
        ),
        pytest.param(
            change("removeExcludedTargets", "c"),
            {"user": ("a", "b"), "org": ("acme",)},
            {},
            id="remove-excluded",
        ),
        pytest.param(
            {"kind": "addIncludedUsers", "values": ["d"]},
            {"user": ("a", "b", "d"), "org": ("acme",)},
            {"user": ("c",)},
            id="old-name",
        ),
    ],
)
def test_members(
    instruction: Instruction, included: dict[str, Any], excluded: dict[str, Any]
) -> None:
    assert members(patched_segment(MEMBERS, instruction)) == (included, excluded)


@pytest.mark.parametrize(
    ("instructions", "changes"),
    [
        pytest.param([{"kind": "updateName", "value": "N"}], {"name": "N"}, id="name"),
        pytest.param(
            [{"kind": "updateDescription", "value": "D"}], {"description": "D"}, id="description"
        ),
        pytest.param(
            [{"kind": "addTags", "values": ["a", "b", "a"]}, {"kind": "removeTags", "values": "a"}],
            {"tags": ("b",)},
            id="tags",
        ),
    ],
)
def test_simple(instructions: list[Instruction], changes: dict[str, Any]) -> None:
    instructions = [{**i, "values": [*i["values"]]} if "values" in i else i for i in instructions]
    assert patched_segment(BETA, *instructions) == BETA.changed(**changes)


ADD_RULE = {"kind": "addRule", "clauses": [CLAUSE]}


class TestRules:
    @pytest.fixture
    def segment(self) -> Segment:
        """With the rules id-1 (clause id-2) and id-3 (clause id-4)."""
        return patched_segment(BETA, ADD_RULE, {**ADD_RULE, "weight": 5_000})

    def test_add(self) -> None:
        everyone, share = patched_segment(
            BETA,
            {**ADD_RULE, "description": "D"},
            {**ADD_RULE, "weight": 5_000, "bucketBy": "country", "rolloutContextKind": "org"},
        ).rules
        assert (everyone.description, everyone.weight, everyone.bucket_by) == ("D", None, None)
        assert (share.weight, share.bucket_by, share.rollout_context_kind) == (
            5_000, "country", "org",
        )  # fmt: skip

    def test_share(self, segment: Segment) -> None:
        update = {"kind": "updateRuleRolloutAndContextKind", "ruleId": "id-1"}
        first, second = patched_segment(
            segment, {**update, "weight": 0, "contextKind": "org", "bucketBy": "country"}
        ).rules
        assert (first.weight, first.rollout_context_kind, first.bucket_by) == (0, "org", "country")
        assert second == segment.rules[1]
        everyone = patched_segment(segment, {**update, "ruleId": "id-3"}).rules[1]
        assert everyone.weight is None

    @pytest.mark.parametrize(
        ("instruction", "expected"),
        [
            pytest.param({"kind": "removeRule", "ruleId": "id-1"}, ["id-3"], id="remove"),
            pytest.param(
                {"kind": "reorderRules", "ruleIds": ["id-3", "id-1"]}, ["id-3", "id-1"], id="order"
            ),
        ],
    )
    def test_like_those_of_flags(
        self, segment: Segment, instruction: Instruction, expected: list[str]
    ) -> None:
        assert [r.id for r in patched_segment(segment, instruction).rules] == expected

    def test_clauses_like_those_of_flags(self, segment: Segment) -> None:
        at = {"ruleId": "id-1", "clauseId": "id-2"}
        changed = patched_segment(
            segment,
            {"kind": "updateRuleDescription", "ruleId": "id-1", "description": "D"},
            {"kind": "addValuesToClause", **at, "values": ["beta"]},
            {"kind": "removeValuesFromClause", **at, "values": ["internal"]},
            {"kind": "addClauses", "ruleId": "id-1", "clauses": [{**CLAUSE, "attribute": "x"}]},
        ).rules[0]
        assert changed.description == "D"
        assert [(c.attribute, c.values) for c in changed.clauses] == [
            ("plan", ("beta",)), ("x", ("internal",)),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        pytest.param(
            {"kind": "turnFlagOn"},
            "instructions[0].kind: unknown instruction 'turnFlagOn'; known: addIncludedTargets, ",
            id="of-a-flag",
        ),
        pytest.param(
            {"kind": "addIncludedTarget"},
            "instructions[0].kind: unknown instruction 'addIncludedTarget'; did you mean "
            "'addIncludedTargets'?",
            id="misspelt",
        ),
        pytest.param(
            {"kind": "addIncludedTargets"},
            "instructions[0] (addIncludedTargets): values: Field required",
            id="no-values",
        ),
        pytest.param(
            change("addIncludedTargets", "a", context="a b"),
            "instructions[0] (addIncludedTargets): contextKind: String should match",
            id="context-kind",
        ),
        pytest.param(
            change("addIncludedTargets", "x" * 513),
            "instructions[0] (addIncludedTargets): values.0: String should have at most 512",
            id="long",
        ),
        pytest.param(
            {**ADD_RULE, "weight": 100_001},
            "instructions[0] (addRule): weight: Input should be less than or equal to 100000",
            id="weight",
        ),
        pytest.param(
            {**ADD_RULE, "clauses": []}, "instructions[0] (addRule): clauses: List", id="no-clause"
        ),
        pytest.param(
            {**ADD_RULE, "variationId": "v"},
            "instructions[0] (addRule): variationId: Extra inputs",
            id="serves",
        ),
        pytest.param(
            {**ADD_RULE, "clauses": [{"op": "segmentMatch", "values": ["nope"]}]},
            "instructions[0] (addRule): segment 'nope' does not exist",
            id="unknown-segment",
        ),
        pytest.param(
            {**ADD_RULE, "clauses": [{"op": "segmentMatch", "values": ["beta"]}]},
            "instructions[0] (addRule): the segment would contain itself: 'beta'",
            id="itself",
        ),
        pytest.param(
            {**ADD_RULE, "clauses": [{"op": "segmentMatch", "values": ["all"]}]},
            "instructions[0] (addRule): the segment would contain itself: 'beta'",
            id="through-another",
        ),
        pytest.param(
            {"kind": "updateRuleRolloutAndContextKind", "ruleId": "nope"},
            "instructions[0] (updateRuleRolloutAndContextKind): there is no rule 'nope'; "
            "known: none",
            id="unknown-rule",
        ),
        pytest.param(
            {"kind": "updateName", "value": ""},
            "instructions[0] (updateName): value: String should have at least 1",
            id="empty-name",
        ),
        pytest.param(
            {"kind": "addTags", "values": ["ä"]},
            "instructions[0] (addTags): values.0: String should match",
            id="tag",
        ),
    ],
)
def test_refused(instruction: Instruction, message: str) -> None:
    everything = a_segment("all", rules=[segment_rule("beta")])
    with pytest.raises(Rejected) as caught:
        patched_segment(BETA, instruction, others=[everything])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("value", ["beta", "all"])
@pytest.mark.parametrize("kind", ["addValuesToClause", "updateClause", "addClauses"])
def test_a_cycle_through_a_changed_clause(kind: str, value: str) -> None:
    others = [a_segment("alpha"), a_segment("all", rules=[segment_rule("beta")])]
    segment = a_segment(rules=[segment_rule("alpha", id="r")])
    clause = {"op": "segmentMatch", "values": [value]}
    fields: dict[str, dict[str, Any]] = {
        "addValuesToClause": {"clauseId": "r-0", "values": [value]},
        "updateClause": {"clauseId": "r-0", "clause": clause},
        "addClauses": {"clauses": [clause]},
    }
    message = rf"^instructions\[0\] \({kind}\): the segment would contain itself: 'beta'"
    with pytest.raises(Rejected, match=message):
        patched_segment(segment, {"kind": kind, "ruleId": "r", **fields[kind]}, others=others)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param("b", True, id="directly"),
        pytest.param("c", True, id="far"),
        pytest.param("d", True, id="by-another-rule"),
        pytest.param("a", False, id="not-itself"),
        pytest.param("gone", True, id="one-that-is-gone"),
        pytest.param("x", False, id="a-cycle-of-others"),
    ],
)
def test_reaches(key: str, expected: bool) -> None:
    a = a_segment("a", rules=[segment_rule("b", "gone"), segment_rule("d", id="second")])
    others = [
        a_segment("b", rules=[segment_rule("c")]),
        a_segment("c"),
        a_segment("d"),
        a_segment("x", rules=[segment_rule("y")]),
        a_segment("y", rules=[segment_rule("x")]),
    ]
    assert reaches(a, key, Known(a, *others).world()) is expected


kinds = st.sampled_from(["user", "org"])
values = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)
any_change = st.builds(
    lambda verb, list_, kind, values: {
        "kind": f"{verb}{list_}Targets", "contextKind": kind, "values": values,
    },
    st.sampled_from(["add", "remove"]), st.sampled_from(["Included", "Excluded"]), kinds, values,
)  # fmt: skip


@patient
@given(st.lists(any_change, max_size=12))
def test_nobody_is_in_and_out(instructions: list[Instruction]) -> None:
    segment = patched_segment(BETA, *instructions)
    included, excluded = members(segment)
    for kind in ("user", "org"):
        inside, outside = included.get(kind, ()), excluded.get(kind, ())
        assert not {*inside} & {*outside}
        assert len({*inside}) == len(inside)
    assert all([*included.values(), *excluded.values()]), "an empty entry"
    last = {(i["contextKind"], v): i["kind"] for i in instructions for v in i["values"]}
    for (kind, value), what in last.items():
        if what == "addIncludedTargets":
            assert value in included[kind]
        if what == "addExcludedTargets":
            assert value in excluded[kind]
    assert Segment.model_validate_json(segment.model_dump_json()) == segment
