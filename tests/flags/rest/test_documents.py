"""JSON patch and JSON merge patch of flags and segments: what changes, and what is refused."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flag_builders import (
    PRODUCTION,
    Known,
    a_boolean,
    a_choice,
    a_segment,
    a_staged,
    segment_rule,
    within,
)
from flags.changes.integrity import check_flag
from flags.errors import Outdated, Rejected
from flags.model import Flag, Segment, SegmentTarget, Target
from flags.rest.documents import MAX_COPIED, flag_from, json_patched, merged, segment_from
from flags.rest.representation import config_json, flag_json, segment_json

ENVIRONMENTS: Final = (PRODUCTION, "staging")
WHERE: Final = f"/environments/{PRODUCTION}"
CLAUSE: Final = {"attribute": "plan", "op": "in", "values": ["internal"], "negate": False}
HALVES: Final = {
    "contextKind": "user",
    "variations": [{"variation": 0, "weight": 50_000}, {"variation": 1, "weight": 50_000}],
}


def op(kind: str, path: str, *value: Any, **others: Any) -> dict[str, Any]:
    return {"op": kind, "path": path, **({"value": value[0]} if value else {}), **others}


def shown(flag: Flag) -> dict[str, Any]:
    return flag_json(flag, "cms", ENVIRONMENTS)


def read(document: Any, flag: Flag, *others: Flag) -> Flag:
    world = Known(flag, *others).world(None)
    return flag_from(document, flag, "cms", ENVIRONMENTS, world, now_ms=9)


def patched(flag: Flag, *operations: Any) -> Flag:
    return read(json_patched(shown(flag), list(operations)), flag)


def changes(before: Flag, after: Flag) -> dict[str, Any]:
    """What REST shows differently, by path; versions are not the patch's business."""
    found: dict[str, Any] = {}

    def look(one: Any, other: Any, path: str) -> None:
        if isinstance(one, dict) and isinstance(other, dict):
            for name in {*one, *other}:
                look(one.get(name), other.get(name), f"{path}/{name}")
        elif json.dumps(one) != json.dumps(other):
            found[path] = other

    look(shown(before), shown(after), "")
    return {path: value for path, value in found.items() if "/_summary" not in path}


BOOLEAN, CHOICE, STAGED = a_boolean(), a_choice(), a_staged()
EVERYTHING = within(
    a_choice(tags=("x",), description="D"),
    on=True,
    targets=(Target(variation=1, values=("ann",)),),
    rules=({"id": "r", "clauses": [{"id": "c", **CLAUSE}], "serve": {"variation": 2}},),
)


@pytest.mark.parametrize("flag", [BOOLEAN, CHOICE, STAGED, EVERYTHING], ids=lambda f: f.kind)
def test_a_document_as_it_was_read_changes_nothing(flag: Flag) -> None:
    document = json.loads(json.dumps(shown(flag)))
    assert read(document, flag) == flag
    assert read(merged(document, {}), flag) == flag


@pytest.mark.parametrize(
    ("flag", "operations", "changed"),
    [
        pytest.param(BOOLEAN, [op("replace", "/name", "N")], {"/name": "N"}, id="name"),
        pytest.param(BOOLEAN, [op("replace", "/description", "D")], {"/description": "D"}, id="d"),
        pytest.param(BOOLEAN, [op("replace", "/temporary", False)], {"/temporary": False}, id="t"),
        pytest.param(BOOLEAN, [op("add", "/tags/-", "x")], {"/tags": ["x"]}, id="add-tag"),
        pytest.param(EVERYTHING, [op("remove", "/tags/0")], {"/tags": []}, id="remove-tag"),
        pytest.param(
            BOOLEAN,
            [op("replace", "/archived", True)],
            {"/archived": True, f"{WHERE}/archived": True, "/environments/staging/archived": True},
            id="archive",
        ),
        pytest.param(
            BOOLEAN,
            [op("replace", "/clientSideAvailability/usingMobileKey", True)],
            {"/clientSideAvailability/usingMobileKey": True},
            id="mobile",
        ),
        pytest.param(
            BOOLEAN,
            [op("replace", "/includeInSnippet", True)],
            {"/clientSideAvailability/usingEnvironmentId": True, "/includeInSnippet": True},
            id="in-snippet",
        ),
        pytest.param(
            CHOICE,
            [op("replace", "/defaults/offVariation", 2)],
            {
                "/defaults/offVariation": 2,
                f"{WHERE}/offVariation": 2,
                "/environments/staging/offVariation": 2,
            },
            id="defaults",
        ),
        pytest.param(
            BOOLEAN, [op("replace", f"{WHERE}/on", True)], {f"{WHERE}/on": True}, id="turn-on"
        ),
        pytest.param(
            BOOLEAN,
            [op("replace", f"{WHERE}/fallthrough", {"variation": 1})],
            {f"{WHERE}/fallthrough/variation": 1},
            id="fallthrough",
        ),
        pytest.param(
            BOOLEAN,
            [op("replace", f"{WHERE}/fallthrough", {"rollout": HALVES})],
            {f"{WHERE}/fallthrough/variation": None, f"{WHERE}/fallthrough/rollout": HALVES},
            id="rollout",
        ),
        pytest.param(
            BOOLEAN,
            [op("replace", f"{WHERE}/offVariation", 0)],
            {f"{WHERE}/offVariation": 0},
            id="off-variation",
        ),
        pytest.param(
            BOOLEAN,
            [op("add", f"{WHERE}/targets/-", {"variation": 1, "values": ["ann"]})],
            {f"{WHERE}/targets": [{"contextKind": "user", "variation": 1, "values": ["ann"]}]},
            id="target",
        ),
        pytest.param(
            EVERYTHING,
            [op("replace", f"{WHERE}/targets/0/values", [])],
            {f"{WHERE}/targets": []},
            id="no-more-targets",
        ),
        pytest.param(
            EVERYTHING,
            [
                op(
                    "add",
                    f"{WHERE}/contextTargets/-",
                    {"contextKind": "organization", "variation": 0, "values": ["acme"]},
                ),
                op("add", f"{WHERE}/contextTargets/-", {"variation": 1, "values": []}),
            ],
            {
                f"{WHERE}/contextTargets": [
                    {"contextKind": "organization", "variation": 0, "values": ["acme"]}
                ]
            },
            id="targets-of-contexts",
        ),
        pytest.param(
            EVERYTHING,
            [op("replace", f"{WHERE}/rules/0/description", "R")],
            {
                f"{WHERE}/rules": [
                    {
                        "_id": "r",
                        "description": "R",
                        "trackEvents": False,
                        "clauses": [{"_id": "c", "contextKind": "user", **CLAUSE}],
                        "variation": 2,
                    }
                ]
            },
            id="rule",
        ),
        pytest.param(
            STAGED,
            [op("replace", f"{WHERE}/migrationSettings/checkRatio", 10)],
            {f"{WHERE}/migrationSettings/checkRatio": 10},
            id="check-ratio",
        ),
        pytest.param(
            BOOLEAN,
            [op("test", "/name", BOOLEAN.name), op("copy", "/description", **{"from": "/name"})],
            {"/description": BOOLEAN.name},
            id="test-and-copy",
        ),
    ],
)
def test_patch(flag: Flag, operations: list[Any], changed: dict[str, Any]) -> None:
    assert changes(flag, patched(flag, *operations)) == changed


def test_a_new_rule_of_a_client_that_gives_no_ids() -> None:
    rule = {"clauses": [{**CLAUSE}], "variation": 0}
    flag = patched(BOOLEAN, op("add", f"{WHERE}/rules/-", rule))
    (made,) = flag.config(PRODUCTION).rules
    assert (made.serve.variation, made.clauses[0].values) == (0, ("internal",))
    assert made.id
    assert made.clauses[0].id


def test_variations() -> None:
    """New ones follow those that are there; ids are ours."""
    new = {"value": {"x": 1}, "name": "New", "_id": "chosen-by-the-client"}
    flag = patched(
        CHOICE,
        op("replace", "/variations/0/value", 1),
        op("replace", "/variations/1/name", "B"),
        op("add", "/variations/-", new),
    )
    assert [v.value for v in flag.variations] == [1, "b", "c", "d", {"x": 1}]
    assert [v.id for v in flag.variations] == ["v-a", "v-b", "v-c", "v-d", "id-1"]
    assert (flag.variations[1].name, flag.variations[4].name) == ("B", "New")


def test_true_is_not_one() -> None:
    flag = patched(a_choice([True, 5]), op("replace", "/variations/0/value", 1))
    assert flag.variations[0].value is not True


@pytest.mark.parametrize(
    ("flag", "operations", "message"),
    [
        pytest.param(BOOLEAN, [op("replace", "/key", "x")], "/key: cannot be changed", id="key"),
        pytest.param(BOOLEAN, [op("replace", "/_version", 9)], "/_version: cannot", id="version"),
        pytest.param(BOOLEAN, [op("add", "/new", 1)], "/new: cannot be changed", id="unknown"),
        pytest.param(BOOLEAN, [op("remove", "/name")], "/name: cannot be changed", id="removed"),
        pytest.param(BOOLEAN, [op("replace", "", 5)], "patch: the whole document must", id="all"),
        pytest.param(BOOLEAN, [op("replace", "/name", 5)], "name: Input should be a", id="type"),
        pytest.param(
            BOOLEAN, [op("replace", "/temporary", "no")], "/temporary: expected true or", id="word"
        ),
        pytest.param(BOOLEAN, [op("replace", "/archived", 1)], "/archived: expected", id="one"),
        pytest.param(BOOLEAN, [op("add", "/tags/-", "a b")], "tags.0: String should", id="tag"),
        pytest.param(
            BOOLEAN,
            [op("replace", f"{WHERE}/on", 1)],
            f"{WHERE}/on: expected true or false",
            id="on",
        ),
        pytest.param(
            BOOLEAN, [op("replace", f"{WHERE}/version", 9)], f"{WHERE}/version: cannot", id="v"
        ),
        pytest.param(
            BOOLEAN,
            [op("add", "/environments/test", {})],
            "/environments/test: cannot be changed by a patch",
            id="environment",
        ),
        pytest.param(
            BOOLEAN, [op("remove", WHERE)], f"{WHERE}: cannot be changed", id="no-environment"
        ),
        pytest.param(
            BOOLEAN,
            [op("replace", WHERE, "on")],
            f"patch: {WHERE} must stay an object",
            id="environment-as-text",
        ),
        pytest.param(
            BOOLEAN,
            [op("add", f"{WHERE}/fallthrough/rollout", HALVES)],
            f"{WHERE}/fallthrough: expected a variation or a rollout, one of them",
            id="both",
        ),
        pytest.param(
            BOOLEAN,
            [op("replace", f"{WHERE}/fallthrough", {})],
            f"{WHERE}/fallthrough: expected a variation or a rollout",
            id="neither",
        ),
        pytest.param(
            BOOLEAN,
            [
                op(
                    "replace",
                    f"{WHERE}/fallthrough",
                    {"rollout": {**HALVES, "variations": HALVES["variations"][:1]}},
                )
            ],
            "fallthrough.rollout: weights sum to 50000, expected 100000",
            id="half",
        ),
        pytest.param(
            BOOLEAN,
            [op("add", f"{WHERE}/rules/-", {"variation": 0, "clauses": [{**CLAUSE, "op": "is"}]})],
            "rules.0.clauses.0.op: Input should be 'in'",
            id="operator",
        ),
        pytest.param(
            BOOLEAN,
            [op("add", f"{WHERE}/rules/-", {"variation": 0, "clauses": []})],
            "rules.0.clauses: Tuple should have at least 1",
            id="no-clause",
        ),
        pytest.param(
            BOOLEAN, [op("add", f"{WHERE}/rules/-", 5)], "the patched flag cannot be", id="rule"
        ),
        pytest.param(
            BOOLEAN,
            [op("add", f"{WHERE}/migrationSettings", {"checkRatio": 2})],
            f"{WHERE}/migrationSettings: cannot be changed",
            id="no-migration",
        ),
        pytest.param(
            BOOLEAN,
            [op("replace", "/variations/0/value", 1)],
            "/variations/0/value: the values of a boolean flag are fixed",
            id="true-is-not-one",
        ),
        pytest.param(
            STAGED,
            [op("replace", "/variations/0/value", "x")],
            "/variations/0/value: the values of a migration flag are fixed",
            id="stage",
        ),
        pytest.param(
            BOOLEAN,
            [op("add", "/variations/-", {"value": 1})],
            "/variations: the variations of a boolean flag are fixed",
            id="third",
        ),
        pytest.param(
            CHOICE,
            [op("move", "/variations/0", **{"from": "/variations/1"})],
            "/variations/0: variations are removed or moved by",
            id="moved",
        ),
        pytest.param(
            CHOICE, [op("remove", "/variations/3")], "/variations/3: variations are", id="gone"
        ),
        pytest.param(
            CHOICE, [op("add", "/variations/-", {})], "the patched flag cannot be read", id="empty"
        ),
        pytest.param(
            CHOICE,
            [op("replace", "/defaults/onVariation", -1)],
            "defaults.on_variation: Input should be greater",
            id="default",
        ),
        pytest.param(BOOLEAN, [], "patch: expected an array of 1 to 100", id="nothing"),
        pytest.param(BOOLEAN, [op("test", "/name", "x")] * 101, "patch: expected an", id="many"),
        pytest.param(BOOLEAN, ["remove"], "patch: expected operations of op", id="text"),
        pytest.param(BOOLEAN, [{"op": "remove"}], "patch: ", id="no-path"),
        pytest.param(BOOLEAN, [op("remove", "name")], "patch: ", id="no-pointer"),
        pytest.param(BOOLEAN, [op("delete", "/name")], "patch: ", id="unknown-operation"),
        pytest.param(BOOLEAN, [op("replace", "/name")], "patch: ", id="no-value"),
        pytest.param(BOOLEAN, [op("copy", "/name")], "patch: ", id="no-from"),
        pytest.param(BOOLEAN, [op("replace", "/tags/7", "x")], "patch: ", id="beyond"),
        pytest.param(BOOLEAN, [op("remove", "/tags/-")], "patch: ", id="the-end"),
        pytest.param(
            BOOLEAN, [op("move", "/environments/x", **{"from": "/environments"})], "patch", id="own"
        ),
    ],
)
def test_refused(flag: Flag, operations: list[Any], message: str) -> None:
    with pytest.raises(Rejected) as caught:
        patched(flag, *operations)
    assert str(caught.value).startswith(message)
    assert caught.value.status == 400


def test_a_failed_test_is_outdated() -> None:
    with pytest.raises(Outdated):
        patched(BOOLEAN, op("replace", "/tags", ["x"]), op("test", "/name", "other"))


def test_copies_are_bounded() -> None:
    """Each could double the document."""
    grow = [op("add", "/x", {}), *[op("copy", f"/x/{i}", **{"from": "/x"}) for i in range(99)]]
    with pytest.raises(Rejected, match=f"copies more than {MAX_COPIED} bytes"):
        json_patched({"x": "y" * 1000}, grow)


def test_depth_is_bounded() -> None:
    """What is stored must be readable again: parsers of JSON have limits."""
    value: Any = []
    for _ in range(150):
        value = [value]
    with pytest.raises(Rejected, match="patch: nested more than 128 deep"):
        patched(CHOICE, op("replace", "/variations/0/value", value))


def test_neither_the_document_nor_the_operations_are_changed() -> None:
    document = {"tags": ["x"]}
    operations = [op("add", "/more", {"a": []}), op("add", "/more/a/-", 1)]
    copy = json.dumps([document, operations])
    assert json_patched(document, operations) == {"tags": ["x"], "more": {"a": [1]}}
    assert json.dumps([document, operations]) == copy


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
    ids=str,
)
def test_merge_patch(document: Any, patch: Any, result: Any) -> None:
    """The examples of RFC 7396, appendix A."""
    assert merged(document, patch) == result


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        pytest.param({"name": None}, "/name: cannot be changed by a patch", id="removed"),
        pytest.param(["x"], "patch: the whole document must stay an object", id="list"),
        pytest.param({"environments": {PRODUCTION: {"on": "yes"}}}, f"{WHERE}/on: exp", id="type"),
    ],
)
def test_refused_merge_patch(patch: Any, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(merged(shown(BOOLEAN), patch), BOOLEAN)
    assert str(caught.value).startswith(message)


def test_merge_patch_of_a_flag() -> None:
    rollout = {"variation": None, "rollout": HALVES}
    patch = {"tags": ["x"], "environments": {PRODUCTION: {"on": True, "fallthrough": rollout}}}
    flag = read(merged(shown(BOOLEAN), patch), BOOLEAN)
    assert changes(BOOLEAN, flag) == {
        "/tags": ["x"],
        f"{WHERE}/on": True,
        f"{WHERE}/fallthrough/variation": None,
        f"{WHERE}/fallthrough/rollout": HALVES,
    }


@pytest.mark.parametrize("archive", [op("replace", "/archived", True)], ids=["archive"])
def test_what_others_need_is_not_archived(archive: Any) -> None:
    needing = within(a_boolean("user"), prerequisites=({"key": BOOLEAN.key, "variation": 0},))
    with pytest.raises(Rejected, match="is a prerequisite of user"):
        read(json_patched(shown(BOOLEAN), [archive]), BOOLEAN, needing)


def test_untracked_shares_are_kept() -> None:
    shares = [
        {"variation": 0, "weight": 40_000, "_untracked": True},
        {"variation": 1, "weight": 60_000},
    ]
    experiment = {"contextKind": "user", "variations": shares, "kind": "experiment", "seed": 61}
    flag = patched(BOOLEAN, op("replace", f"{WHERE}/fallthrough", {"rollout": experiment}))
    rollout = flag.config(PRODUCTION).fallthrough.rollout
    assert rollout is not None
    assert [v.untracked for v in rollout.variations] == [True, False]
    assert (rollout.kind, rollout.seed) == ("experiment", 61)
    assert shown(flag)["environments"][PRODUCTION]["fallthrough"]["rollout"] == experiment
    assert patched(flag, op("replace", f"{WHERE}/on", True)).config(PRODUCTION).fallthrough == (
        flag.config(PRODUCTION).fallthrough
    )


# Segments

BETA = a_segment(tags=("x",), included=(SegmentTarget(values=("ann",)),))


def patched_segment(segment: Segment, *operations: Any) -> Segment:
    document = json_patched(segment_json(segment, "cms", PRODUCTION), list(operations))
    return segment_from(document, segment, "cms", PRODUCTION)


@pytest.mark.parametrize(
    ("operations", "changed"),
    [
        pytest.param([op("replace", "/name", "N")], {"name": "N"}, id="name"),
        pytest.param([op("replace", "/description", "D")], {"description": "D"}, id="description"),
        pytest.param([op("add", "/tags/-", "y")], {"tags": ("x", "y")}, id="tag"),
        pytest.param(
            [op("add", "/included/-", "bob")],
            {"included": (SegmentTarget(values=("ann", "bob")),)},
            id="included",
        ),
        pytest.param([op("remove", "/included/0")], {"included": ()}, id="nobody"),
        pytest.param(
            [
                op(
                    "add",
                    "/excludedContexts/-",
                    {"contextKind": "organization", "values": ["acme"]},
                )
            ],
            {"excluded": (SegmentTarget(context_kind="organization", values=("acme",)),)},
            id="contexts",
        ),
    ],
)
def test_patch_of_a_segment(operations: list[Any], changed: dict[str, Any]) -> None:
    assert patched_segment(BETA, *operations) == BETA.changed(**changed)


def test_rules_of_a_segment() -> None:
    segment = a_segment(rules=(segment_rule("other"),))
    rule = {"clauses": [CLAUSE], "weight": 5000, "rolloutContextKind": "organization"}
    after = patched_segment(segment, op("add", "/rules/-", rule))
    assert after.rules[0] == segment.rules[0]
    assert (after.rules[1].weight, after.rules[1].rollout_context_kind) == (5000, "organization")


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        pytest.param(op("replace", "/key", "x"), "/key: cannot be changed", id="key"),
        pytest.param(op("replace", "/version", 7), "/version: cannot be changed", id="version"),
        pytest.param(op("replace", "/unbounded", True), "/unbounded: cannot", id="big"),
        pytest.param(op("replace", "", None), "patch: the whole document", id="all"),
        pytest.param(op("replace", "/included", "ann"), "included.0.values: Input", id="text"),
        pytest.param(op("replace", "/included", [5]), "included.0.values.0: Input", id="number"),
        pytest.param(op("replace", "/rules", [{}]), "rules.0.clauses: Tuple should", id="rule"),
        pytest.param(op("replace", "/rules", 5), "expected objects and lists as", id="rules"),
        pytest.param(
            op("add", "/includedContexts/-", {"contextKind": "user", "values": ["bob"]}),
            "/includedContexts: a context kind is given twice",
            id="twice",
        ),
    ],
)
def test_refused_patch_of_a_segment(operation: Any, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        patched_segment(BETA, operation)
    assert str(caught.value).startswith(message)


# Any patch at all

PATHS = st.sampled_from(
    [
        "", "/name", "/key", "/tags", "/tags/0", "/tags/-", "/archived", "/temporary",
        "/variations", "/variations/0", "/variations/1/value", "/variations/-",
        "/variations/0/_id", "/defaults",
        "/defaults/offVariation", "/clientSideAvailability", "/environments", WHERE,
        f"{WHERE}/on", f"{WHERE}/targets", f"{WHERE}/targets/0", f"{WHERE}/targets/0/values/-",
        f"{WHERE}/contextTargets/-", f"{WHERE}/rules", f"{WHERE}/rules/0", f"{WHERE}/rules/-",
        f"{WHERE}/rules/0/clauses", f"{WHERE}/rules/0/clauses/0/values", f"{WHERE}/fallthrough",
        f"{WHERE}/fallthrough/variation", f"{WHERE}/fallthrough/rollout", f"{WHERE}/offVariation",
        f"{WHERE}/prerequisites", f"{WHERE}/prerequisites/-", f"{WHERE}/migrationSettings",
        "/environments/staging", "/environments/staging/fallthrough", "/nothing", "nothing", "/~2",
    ]
)  # fmt: skip
WORDS = st.text(max_size=5)
VALUES = st.one_of(
    st.sampled_from(
        [
            True, False, None, 0, 1, 3, 7, -1, 1.5, "", "x", [], {}, [[]], ["x"],
            {"variation": 1}, {"variation": 9}, {"rollout": HALVES}, {"rollout": []},
            {"rollout": {"variations": [{"variation": 2, "weight": 100_000}]}},
            {"variation": 2, "values": ["ann"]}, {"variation": "2", "values": "ann"},
            {"variation": 0, "clauses": [CLAUSE]}, {"variation": 8, "clauses": [CLAUSE]},
            {"value": 5}, {"_id": "v-a", "value": "a"}, {"key": "other", "variation": 1},
            {"key": "home-page", "variation": 0}, {"key": "other", "variation": 5},
            {"checkRatio": 3}, {"checkRatio": "x"}, {"onVariation": 1, "offVariation": 9},
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(WORDS, inner, max_size=3),
        max_leaves=8,
    ),
)  # fmt: skip
OPERATIONS = st.lists(
    st.one_of(
        st.builds(op, st.sampled_from(["add", "replace", "test"]), PATHS, VALUES),
        st.builds(op, st.just("remove"), PATHS),
        st.builds(
            lambda kind, path, source: op(kind, path, **{"from": source}),
            st.sampled_from(["move", "copy"]),
            PATHS,
            PATHS,
        ),
        VALUES,
    ),
    max_size=6,
)


def survives(flag: Flag, change: Callable[[], Flag], *others: Flag) -> None:
    """Either a flag that fits the world, or an error of ours; the flag itself is as it was."""
    before = flag.model_dump_json()
    try:
        after = checked(change(), *others)
    except Rejected:
        pass
    else:
        assert (after.key, after.kind) == (flag.key, flag.kind)
        kept = after.variations[: len(flag.variations)]
        assert [v.id for v in kept] == [v.id for v in flag.variations]
        assert Flag.model_validate_json(after.model_dump_json()) == after
        assert read(json.loads(json.dumps(shown(after))), after) == after
    assert flag.model_dump_json() == before


def checked(after: Flag, *others: Flag) -> Flag:
    """As the store checks what a change has made, before it keeps it."""
    try:
        check_flag(after, Known(after, *others).world(None), ENVIRONMENTS)
    except ValueError as error:
        raise Rejected(str(error)) from None
    return after


FLAGS = st.sampled_from([BOOLEAN, CHOICE, STAGED, EVERYTHING])


@given(flag=FLAGS, operations=OPERATIONS)
@settings(deadline=None, max_examples=400)
def test_any_json_patch(flag: Flag, operations: list[Any]) -> None:
    other = a_choice(key="other")
    document = shown(flag)
    survives(flag, lambda: read(json_patched(document, operations), flag, other), other)
    assert document == shown(flag)


@given(
    flag=FLAGS,
    members=st.dictionaries(st.sampled_from(list(shown(STAGED))), VALUES, max_size=3),
    inner=st.dictionaries(st.sampled_from(list(config_json(STAGED, "", PRODUCTION))), VALUES),
)
@settings(deadline=None, max_examples=200)
def test_any_merge_patch(flag: Flag, members: dict[str, Any], inner: dict[str, Any]) -> None:
    patch = {**members, "environments": {PRODUCTION: inner}}
    survives(flag, lambda: read(merged(shown(flag), patch), flag))
