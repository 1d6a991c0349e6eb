"""Flags and segments for the tests of flags.evaluation, with only what a test is about."""

from typing import Any

from flags.evaluation import Context
from flags.model import (
    Clause,
    ContextKind,
    Defaults,
    Flag,
    Op,
    Prerequisite,
    Rollout,
    Rule,
    Segment,
    SegmentRule,
    Serve,
    Snapshot,
    Variation,
)
from flags.model.flag import Config

ENVIRONMENT = "production"


def a_flag(key: str = "publishing", *, archived: bool = False, **config: Any) -> Flag:
    """On, with the variations a, b and c: off is a, the fallthrough b."""
    said = {"salt": "a1b2c3", "modified": 0, "on": True, "off_variation": 0, "fallthrough": to(1)}
    return Flag(
        key=key,
        name=key,
        kind="multivariate",
        variations=tuple(Variation(id=value, value=value) for value in "abc"),
        defaults=Defaults(on_variation=1, off_variation=0),
        archived=archived,
        created=0,
        environments={ENVIRONMENT: Config.model_validate({**said, **config})},
    )


def to(variation: int) -> Serve:
    return Serve(variation=variation)


def shared(*weights: int, **rollout: Any) -> Serve:
    """A rollout with these weights for the variations 0, 1, 2."""
    shares = [{"variation": i, "weight": weight} for i, weight in enumerate(weights)]
    return Serve(rollout=Rollout.model_validate({"variations": shares, **rollout}))


def a_rule(*clauses: Clause, serve: Serve | None = None, id: str = "rule") -> Rule:
    return Rule(id=id, clauses=clauses, serve=serve or to(2))


def a_clause(
    attribute: str, op: Op, *values: Any, negate: bool = False, context_kind: ContextKind = "user"
) -> Clause:
    return Clause(
        id="clause",
        context_kind=context_kind,
        attribute=attribute,
        op=op,
        values=values,
        negate=negate,
    )


def in_segments(*keys: Any, negate: bool = False) -> Clause:
    return a_clause("", "segmentMatch", *keys, negate=negate)


def needs(key: str, variation: int = 1) -> Prerequisite:
    return Prerequisite(key=key, variation=variation)


def a_segment(key: str = "beta", **fields: Any) -> Segment:
    return Segment.model_validate(
        {"key": key, "name": key, "created": 0, "modified": 0, "salt": "salt", **fields}
    )


def a_segment_rule(*clauses: Clause, **fields: Any) -> SegmentRule:
    return SegmentRule(id="rule", clauses=clauses, **fields)


def a_world(*items: Flag | Segment) -> Snapshot:
    return Snapshot(
        environment=ENVIRONMENT,
        flags={item.key: item for item in items if isinstance(item, Flag)},
        segments={item.key: item for item in items if isinstance(item, Segment)},
    )


def a_context(key: str = "user-42", kind: str = "user", **attributes: Any) -> Context:
    return Context.parse({"kind": kind, "key": key, **attributes})


def several(**kinds: dict[str, Any]) -> Context:
    return Context.parse({"kind": "multi", **kinds})
