"""The decision, step by step. That it is always LaunchDarkly's is test_agreement's subject."""

from typing import Any

import pytest

from evaluation_builders import (
    a_clause,
    a_context,
    a_flag,
    a_rule,
    a_segment,
    a_segment_rule,
    a_world,
    in_segments,
    needs,
    several,
    shared,
    to,
)
from flags.evaluation import Context, evaluate
from flags.model import Flag, Segment, Snapshot

MALFORMED = {"kind": "ERROR", "errorKind": "MALFORMED_FLAG"}
EXCEPTION = {"kind": "ERROR", "errorKind": "EXCEPTION"}
OFF = {"kind": "OFF"}
FALLTHROUGH = {"kind": "FALLTHROUGH"}
TARGET = {"kind": "TARGET_MATCH"}
RULE = {"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "rule"}

ALWAYS = a_clause("key", "in", "user-42")
NEVER = a_clause("key", "in", "nobody")


def failed(key: str) -> dict[str, str]:
    return {"kind": "PREREQUISITE_FAILED", "prerequisiteKey": key}


def target(variation: int, *values: str, kind: str = "user") -> dict[str, Any]:
    return {"context_kind": kind, "variation": variation, "values": values}


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        pytest.param(a_flag(on=False), "a", OFF, id="off"),
        pytest.param(a_flag(archived=True), "a", OFF, id="archived"),
        pytest.param(a_flag(on=False, off_variation=None), None, OFF, id="off-without-variation"),
        pytest.param(a_flag(on=False, off_variation=3), None, MALFORMED, id="off-out-of-range"),
        pytest.param(a_flag(), "b", FALLTHROUGH, id="fallthrough"),
        pytest.param(a_flag(fallthrough=to(3)), None, MALFORMED, id="fallthrough-out-of-range"),
        pytest.param(a_flag(fallthrough=shared(0, 0, 100_000)), "c", FALLTHROUGH, id="rollout"),
        pytest.param(
            a_flag(fallthrough=shared(0, 0, 0, 100_000)), None, MALFORMED, id="rollout-out-of-range"
        ),
        pytest.param(
            a_flag(fallthrough=shared(0, 100_000, kind="experiment")),
            "b",
            {"kind": "FALLTHROUGH", "inExperiment": True},
            id="experiment",
        ),
        pytest.param(
            a_flag(fallthrough=shared(0, 100_000, bucket_by="/")), None, MALFORMED, id="bad-by"
        ),
        pytest.param(a_flag(targets=[target(2, "x", "user-42")]), "c", TARGET, id="target"),
        pytest.param(a_flag(targets=[target(2, "x")]), "b", FALLTHROUGH, id="other-target"),
        pytest.param(a_flag(targets=[target(3, "user-42")]), None, MALFORMED, id="bad-target"),
        pytest.param(
            a_flag(targets=[target(2, "user-42", kind="org")]), "b", FALLTHROUGH, id="target-kind"
        ),
        pytest.param(
            a_flag(targets=[target(2, "user-42"), target(0, "user-42")]), "c", TARGET, id="first"
        ),
        pytest.param(
            a_flag(targets=[target(2, "x"), target(2, "user-42")]),
            "c",
            TARGET,
            id="targets-of-a-variation-are-one",
        ),
        pytest.param(
            a_flag(targets=[target(0, "user-42")], rules=[a_rule(ALWAYS)]),
            "a",
            TARGET,
            id="target-before-rule",
        ),
        pytest.param(a_flag(rules=[a_rule(ALWAYS)]), "c", RULE, id="rule"),
        pytest.param(a_flag(rules=[a_rule(ALWAYS, NEVER)]), "b", FALLTHROUGH, id="every-clause"),
        pytest.param(
            a_flag(rules=[a_rule(NEVER), a_rule(ALWAYS, id="second", serve=to(0))]),
            "a",
            {"kind": "RULE_MATCH", "ruleIndex": 1, "ruleId": "second"},
            id="second-rule",
        ),
        pytest.param(
            a_flag(rules=[a_rule(ALWAYS, serve=shared(0, 100_000, kind="experiment"))]),
            "b",
            {**RULE, "inExperiment": True},
            id="rule-with-experiment",
        ),
        pytest.param(a_flag(rules=[a_rule(ALWAYS, serve=to(3))]), None, MALFORMED, id="bad-rule"),
    ],
)
def test_one_flag(flag: Flag, value: str | None, reason: dict[str, Any]) -> None:
    detail = evaluate(flag, a_context(), a_world(flag))
    assert (detail.value, detail.reason) == (value, reason)
    assert detail.variation_index == (None if value is None else "abc".index(value))
    assert detail.prerequisites == ()


def test_an_environment_that_nobody_has_touched() -> None:
    flag = a_flag()
    detail = evaluate(flag, a_context(), Snapshot(environment="test", flags={}, segments={}))
    assert (detail.value, detail.reason) == ("a", OFF)


def test_targets_in_the_order_of_the_flag() -> None:
    context = several(user={"key": "u"}, org={"key": "o"})
    user, org = target(0, "u"), target(2, "o", kind="org")
    for targets, value in (([user, org], "a"), ([org, user], "c")):
        flag = a_flag(targets=targets)
        assert evaluate(flag, context, a_world(flag)).value == value


@pytest.mark.parametrize(
    ("clause", "matches"),
    [
        pytest.param(a_clause("plan", "in", "trial"), True, id="text"),
        pytest.param(a_clause("plan", "in", "trial", negate=True), False, id="negated"),
        pytest.param(a_clause("plan", "in", "free", negate=True), True, id="negated-other"),
        pytest.param(a_clause("plan", "in"), False, id="no-values"),
        pytest.param(a_clause("plan", "in", negate=True), True, id="negated-no-values"),
        pytest.param(a_clause("missing", "in", "x"), False, id="missing"),
        pytest.param(a_clause("missing", "in", "x", negate=True), False, id="negated-missing"),
        pytest.param(a_clause("/address/city", "in", "Oslo"), True, id="nested"),
        pytest.param(a_clause("tags", "in", "b"), True, id="any-of-a-list"),
        pytest.param(a_clause("tags", "in", "b", negate=True), False, id="none-of-a-list"),
        pytest.param(a_clause("nothing", "in", "b", negate=True), True, id="empty-list"),
        pytest.param(a_clause("key", "in", "acme", context_kind="org"), True, id="other-kind"),
        pytest.param(
            a_clause("key", "in", "x", negate=True, context_kind="device"),
            False,
            id="negated-missing-kind",
        ),
        pytest.param(a_clause("kind", "in", "org"), True, id="kind"),
        pytest.param(a_clause("/kind", "startsWith", "us"), True, id="kind-by-pointer"),
        pytest.param(a_clause("kind", "in", "device", negate=True), True, id="not-of-kind"),
        pytest.param(a_clause("anonymous", "in", False), True, id="anonymous"),
    ],
)
def test_clause(clause: Any, matches: bool) -> None:
    context = several(
        user={
            "key": "u",
            "plan": "trial",
            "tags": ["a", "b"],
            "nothing": [],
            "address": {"city": "Oslo"},
        },
        org={"key": "acme"},
    )
    flag = a_flag(rules=[a_rule(clause)])
    assert evaluate(flag, context, a_world(flag)).reason == (RULE if matches else FALLTHROUGH)


@pytest.mark.parametrize("reference", ["", "/", "/a//b", "/a~2"])
def test_bad_reference(reference: str) -> None:
    flag = a_flag(rules=[a_rule(a_clause(reference, "in", "x"))])
    assert evaluate(flag, a_context(), a_world(flag)).reason == MALFORMED
    assert evaluate(flag, a_context(kind="org"), a_world(flag)).reason == FALLTHROUGH


@pytest.mark.parametrize(
    ("world", "value", "reason", "looked_at"),
    [
        pytest.param(
            a_world(a_flag("first", prerequisites=[needs("second")]), a_flag("second")),
            "b",
            FALLTHROUGH,
            ("second",),
            id="given",
        ),
        pytest.param(
            a_world(a_flag("first", prerequisites=[needs("second", 2)]), a_flag("second")),
            "a",
            failed("second"),
            ("second",),
            id="another-variation",
        ),
        pytest.param(
            a_world(
                a_flag("first", prerequisites=[needs("second", 0)]), a_flag("second", on=False)
            ),
            "a",
            failed("second"),
            ("second",),
            id="off-never-fulfils",
        ),
        pytest.param(
            a_world(
                a_flag("first", prerequisites=[needs("second")]), a_flag("second", archived=True)
            ),
            "a",
            failed("second"),
            ("second",),
            id="archived-never-fulfils",
        ),
        pytest.param(
            a_world(a_flag("first", prerequisites=[needs("gone")])),
            "a",
            failed("gone"),
            ("gone",),
            id="missing",
        ),
        pytest.param(
            a_world(
                a_flag("first", prerequisites=[needs("second"), needs("gone"), needs("third")]),
                a_flag("second", prerequisites=[needs("third")]),
                a_flag("third"),
            ),
            "a",
            failed("gone"),
            ("second", "gone"),
            id="only-direct-ones-until-one-fails",
        ),
        pytest.param(
            a_world(a_flag("first", prerequisites=[needs("first")])),
            None,
            MALFORMED,
            (),
            id="itself",
        ),
        pytest.param(
            a_world(
                a_flag("first", prerequisites=[needs("second")]),
                a_flag("second", prerequisites=[needs("third")]),
                a_flag("third", prerequisites=[needs("second")]),
            ),
            None,
            MALFORMED,
            ("second",),
            id="cycle-elsewhere",
        ),
        pytest.param(
            a_world(
                a_flag("first", prerequisites=[needs("second")], on=False),
                a_flag("second", prerequisites=[needs("first")]),
            ),
            "a",
            OFF,
            (),
            id="cycle-of-a-flag-that-is-off",
        ),
        pytest.param(
            a_world(
                a_flag("first", prerequisites=[needs("second", 0), needs("first")]),
                a_flag("second", fallthrough=to(3)),
            ),
            "a",
            failed("second"),
            ("second",),
            id="out-of-range-is-no-variation",
        ),
        pytest.param(
            a_world(
                a_flag("first", prerequisites=[needs("second")]),
                a_flag("second", rules=[a_rule(a_clause("", "in"))]),
            ),
            None,
            MALFORMED,
            ("second",),
            id="malformed-elsewhere",
        ),
    ],
)
def test_prerequisites(
    world: Snapshot, value: str | None, reason: dict[str, Any], looked_at: tuple[str, ...]
) -> None:
    detail = evaluate(world.flags["first"], a_context(), world)
    assert (detail.value, detail.reason, detail.prerequisites) == (value, reason, looked_at)


def test_the_same_prerequisite_by_many_paths() -> None:
    """2^40 paths, each flag is looked at once."""
    depth = 40
    flags = [
        a_flag(f"f{i}", prerequisites=[needs(f"f{i + 1}"), needs(f"f{i + 1}")])
        for i in range(depth)
    ]
    world = a_world(*flags, a_flag(f"f{depth}"))
    assert evaluate(flags[0], a_context(), world).reason == FALLTHROUGH


def test_a_chain_that_is_too_long() -> None:
    flags = [a_flag(f"f{i}", prerequisites=[needs(f"f{i + 1}")]) for i in range(2000)]
    detail = evaluate(flags[0], a_context(), a_world(*flags))
    assert (detail.value, detail.reason, detail.prerequisites) == (None, EXCEPTION, ())


@pytest.mark.parametrize(
    ("rule", "context"),
    [
        pytest.param(a_clause("size", "lessThan", 1), a_context(size=10**400), id="huge-number"),
        pytest.param(in_segments(["beta"]), a_context(), id="segment-key-is-a-list"),
    ],
)
def test_what_sdks_call_an_exception(rule: Any, context: Context) -> None:
    flag = a_flag(rules=[a_rule(rule)])
    assert evaluate(flag, context, a_world(flag)).reason == EXCEPTION


def members(*values: str, kind: str = "user") -> dict[str, Any]:
    return {"context_kind": kind, "values": values}


@pytest.mark.parametrize(
    ("segment", "inside"),
    [
        pytest.param(a_segment(), False, id="empty"),
        pytest.param(a_segment(included=[members("user-42")]), True, id="included"),
        pytest.param(a_segment(included=[members("user-42", kind="org")]), False, id="other-kind"),
        pytest.param(
            a_segment(included=[members("user-42")], excluded=[members("user-42")]),
            True,
            id="included-and-excluded",
        ),
        pytest.param(a_segment(rules=[a_segment_rule(ALWAYS)]), True, id="rule"),
        pytest.param(a_segment(rules=[a_segment_rule(ALWAYS, NEVER)]), False, id="every-clause"),
        pytest.param(
            a_segment(excluded=[members("user-42")], rules=[a_segment_rule(ALWAYS)]),
            False,
            id="excluded-before-rule",
        ),
        pytest.param(
            a_segment(rules=[a_segment_rule(NEVER), a_segment_rule(ALWAYS)]), True, id="second-rule"
        ),
        pytest.param(a_segment(rules=[a_segment_rule(ALWAYS, weight=0)]), False, id="weight-0"),
        pytest.param(a_segment(rules=[a_segment_rule(ALWAYS, weight=100_000)]), True, id="all"),
        pytest.param(
            a_segment(rules=[a_segment_rule(ALWAYS, weight=0, rollout_context_kind="org")]),
            True,
            id="weight-without-such-a-context",
        ),
        pytest.param(
            a_segment(rules=[a_segment_rule(ALWAYS, weight=1, bucket_by="missing")]),
            True,
            id="weight-by-missing-attribute",
        ),
        pytest.param(
            a_segment(rules=[a_segment_rule(ALWAYS, weight=0, bucket_by="missing")]),
            False,
            id="weight-0-by-missing-attribute",
        ),
    ],
)
def test_segment(segment: Segment, inside: bool) -> None:
    for clause, matches in (
        (in_segments("gone", "beta"), inside),
        (in_segments("beta", negate=True), not inside),
    ):
        flag = a_flag(rules=[a_rule(clause)])
        detail = evaluate(flag, a_context(), a_world(flag, segment))
        assert detail.reason == (RULE if matches else FALLTHROUGH)


def test_missing_segments() -> None:
    flag = a_flag(rules=[a_rule(in_segments("gone", 7, None, negate=True))])
    assert evaluate(flag, a_context(), a_world(flag)).reason == RULE


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        pytest.param(
            [a_segment("beta", rules=[a_segment_rule(in_segments("inner"))]), a_segment("inner")],
            FALLTHROUGH,
            id="nested",
        ),
        pytest.param(
            [a_segment("beta", rules=[a_segment_rule(in_segments("beta"))])], MALFORMED, id="itself"
        ),
        pytest.param(
            [
                a_segment("beta", rules=[a_segment_rule(in_segments("inner"))]),
                a_segment("inner", rules=[a_segment_rule(in_segments("beta"))]),
            ],
            MALFORMED,
            id="cycle",
        ),
        pytest.param(
            [
                a_segment("beta", rules=[a_segment_rule(NEVER, in_segments("beta"))]),
            ],
            FALLTHROUGH,
            id="cycle-that-is-not-reached",
        ),
        pytest.param(
            [
                a_segment("beta", rules=[a_segment_rule(in_segments("inner"))] * 2),
                a_segment("inner"),
            ],
            FALLTHROUGH,
            id="twice-is-no-cycle",
        ),
    ],
)
def test_segments_in_segments(segments: list[Segment], reason: dict[str, Any]) -> None:
    flag = a_flag(rules=[a_rule(in_segments("beta"))])
    assert evaluate(flag, a_context(), a_world(flag, *segments)).reason == reason
