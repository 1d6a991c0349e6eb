"""Instructions that change a segment."""

from typing import Annotated, Literal

from pydantic import Field

from flags.changes.base import Name, SegmentInstruction, Values, World, replaced, rule_at
from flags.changes.rules import NewClauses
from flags.model import FULL_WEIGHT, ContextKind, Key, Segment, SegmentRule, SegmentTarget, Text

Weight = Annotated[int, Field(ge=0, le=FULL_WEIGHT)]


class _Members(SegmentInstruction):
    contextKind: ContextKind = "user"
    values: Values


class AddIncludedTargets(_Members):
    kind: Literal["addIncludedTargets", "addIncludedUsers"]

    def apply(self, segment: Segment, world: World) -> Segment:
        """Who is included is no longer excluded."""
        return segment.changed(
            included=_with(segment.included, self.contextKind, self.values),
            excluded=_without(segment.excluded, self.contextKind, self.values),
        )


class AddExcludedTargets(_Members):
    kind: Literal["addExcludedTargets", "addExcludedUsers"]

    def apply(self, segment: Segment, world: World) -> Segment:
        return segment.changed(
            included=_without(segment.included, self.contextKind, self.values),
            excluded=_with(segment.excluded, self.contextKind, self.values),
        )


class RemoveIncludedTargets(_Members):
    kind: Literal["removeIncludedTargets", "removeIncludedUsers"]

    def apply(self, segment: Segment, world: World) -> Segment:
        return segment.changed(included=_without(segment.included, self.contextKind, self.values))


class RemoveExcludedTargets(_Members):
    kind: Literal["removeExcludedTargets", "removeExcludedUsers"]

    def apply(self, segment: Segment, world: World) -> Segment:
        return segment.changed(excluded=_without(segment.excluded, self.contextKind, self.values))


class AddSegmentRule(SegmentInstruction):
    kind: Literal["addRule"]
    clauses: NewClauses
    description: Text = ""
    weight: Weight | None = None
    bucketBy: str | None = None
    rolloutContextKind: ContextKind = "user"

    def apply(self, segment: Segment, world: World) -> Segment:
        rule = SegmentRule(
            id=world.new_id(),
            description=self.description,
            clauses=tuple(c.build(world) for c in self.clauses),
            weight=self.weight,
            bucket_by=self.bucketBy,
            rollout_context_kind=self.rolloutContextKind,
        )
        if reaches(segment.changed(rules=(rule,)), segment.key, world):
            raise ValueError(f"the segment would contain itself: {segment.key!r}")
        return segment.changed(rules=(*segment.rules, rule))


class UpdateRuleRollout(SegmentInstruction):
    kind: Literal["updateRuleRolloutAndContextKind"]
    ruleId: str
    weight: Weight | None = None
    contextKind: ContextKind = "user"
    bucketBy: str | None = None

    def apply(self, segment: Segment, world: World) -> Segment:
        at = rule_at(segment.rules, self.ruleId)
        rule = segment.rules[at].changed(
            weight=self.weight, rollout_context_kind=self.contextKind, bucket_by=self.bucketBy
        )
        return segment.changed(rules=replaced(segment.rules, at, rule))


class UpdateSegmentName(SegmentInstruction):
    kind: Literal["updateName"]
    value: Name

    def apply(self, segment: Segment, world: World) -> Segment:
        return segment.changed(name=self.value)


class UpdateSegmentDescription(SegmentInstruction):
    kind: Literal["updateDescription"]
    value: Text

    def apply(self, segment: Segment, world: World) -> Segment:
        return segment.changed(description=self.value)


class AddSegmentTags(SegmentInstruction):
    kind: Literal["addTags"]
    values: list[Key]

    def apply(self, segment: Segment, world: World) -> Segment:
        return segment.changed(tags=tuple(dict.fromkeys((*segment.tags, *self.values))))


class RemoveSegmentTags(SegmentInstruction):
    kind: Literal["removeTags"]
    values: list[Key]

    def apply(self, segment: Segment, world: World) -> Segment:
        return segment.changed(tags=tuple(t for t in segment.tags if t not in self.values))


def reaches(segment: Segment, key: str, world: World) -> bool:
    """Whether rules of `segment`, however far, match members of the segment `key`."""
    seen: set[str] = set()
    left = [segment]
    while left:
        for rule in left.pop().rules:
            for clause in rule.clauses:
                if clause.op != "segmentMatch":
                    continue
                for name in clause.values:
                    if name == key:
                        return True
                    if isinstance(name, str) and name not in seen:
                        seen.add(name)
                        if (other := world.segment(name)) is not None:
                            left.append(other)
    return False


def _with(
    targets: tuple[SegmentTarget, ...], context_kind: str, values: list[str]
) -> tuple[SegmentTarget, ...]:
    if not values:
        return targets
    own = next((t.values for t in targets if t.context_kind == context_kind), ())
    added = SegmentTarget(context_kind=context_kind, values=tuple(dict.fromkeys((*own, *values))))
    return (*(t for t in targets if t.context_kind != context_kind), added)


def _without(
    targets: tuple[SegmentTarget, ...], context_kind: str, values: list[str]
) -> tuple[SegmentTarget, ...]:
    gone = set(values)
    return tuple(
        t.model_copy(update={"values": left})
        for t in targets
        if (
            left := t.values
            if t.context_kind != context_kind
            else tuple(v for v in t.values if v not in gone)
        )
    )
