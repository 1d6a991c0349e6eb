"""A segment: a named set of contexts in one environment."""

from typing import Annotated

from pydantic import Field

from flags.model.base import FULL_WEIGHT, ContextKeys, ContextKind, Key, Model, Tags, Text
from flags.model.serve import Clauses


class SegmentTarget(Model):
    context_kind: ContextKind = "user"
    values: ContextKeys


class SegmentRule(Model):
    """Contexts that match every clause, or a share of them."""

    id: str
    description: Text = ""
    clauses: Clauses
    weight: Annotated[int, Field(ge=0, le=FULL_WEIGHT)] | None = None
    """Thousandths of a percent; None is everyone."""
    bucket_by: str | None = None
    rollout_context_kind: ContextKind = "user"


SegmentTargets = Annotated[tuple[SegmentTarget, ...], Field(max_length=100)]


class Segment(Model):
    key: Key
    name: Text
    description: Text = ""
    tags: Tags = ()
    created: int
    """Epoch milliseconds."""
    modified: int
    """Epoch milliseconds."""
    version: Annotated[int, Field(ge=1)] = 1
    salt: str
    included: SegmentTargets = ()
    """At most one entry for each context kind."""
    excluded: SegmentTargets = ()
    rules: Annotated[tuple[SegmentRule, ...], Field(max_length=200)] = ()
