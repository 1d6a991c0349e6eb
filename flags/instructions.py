"""The instructions of LaunchDarkly's semantic patch, one class for each. Pure.

Source: LaunchDarkly API documentation, "Update feature flag". Field names are those of the wire.
`apply` returns the changed flag, or the same one; it raises `ValueError` with what is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from flags.model import (
    Clause,
    ContextKind,
    Flag,
    Key,
    Op,
    Prerequisite,
    Rollout,
    Rule,
    Serve,
    Target,
    Text,
    WeightedVariation,
)

Values = Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=10_000)]


@dataclass(frozen=True, slots=True)
class World:
    """What an instruction may ask about besides its own flag."""

    flag: Callable[[str], Flag | None]
    new_id: Callable[[], str]


class Instruction(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def apply(self, flag: Flag, world: World) -> Flag:
        raise NotImplementedError


def index_of(flag: Flag, variation_id: str) -> int:
    index = flag.variation_index(variation_id)
    if index is None:
        known = ", ".join(f"{v.id} ({v.value!r})" for v in flag.variations)
        raise ValueError(
            f"variation {variation_id!r} is not of flag {flag.key!r}, which has {known}"
        )
    return index


class _Serving(Instruction):
    """The part that names one variation, or the weights of several."""

    variationId: str | None = None
    rolloutWeights: dict[str, int] | None = None
    rolloutContextKind: ContextKind = "user"
    rolloutBucketBy: str | None = None

    def serve(self, flag: Flag) -> Serve:
        """Variations in the order of the flag's own list: a growing share only adds contexts."""
        if (self.variationId is None) == (self.rolloutWeights is None):
            raise ValueError("expected variationId or rolloutWeights, one of them")
        if self.variationId is not None:
            return Serve(variation=index_of(flag, self.variationId))
        weights = {index_of(flag, key): w for key, w in (self.rolloutWeights or {}).items()}
        return Serve(
            rollout=Rollout(
                context_kind=self.rolloutContextKind,
                bucket_by=self.rolloutBucketBy,
                variations=tuple(
                    WeightedVariation(variation=i, weight=weights[i]) for i in sorted(weights)
                ),
            )
        )


class TurnFlagOn(Instruction):
    kind: Literal["turnFlagOn"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(on=True)


class TurnFlagOff(Instruction):
    kind: Literal["turnFlagOff"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(on=False)


class UpdateFallthrough(_Serving):
    kind: Literal["updateFallthroughVariationOrRollout"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(fallthrough=self.serve(flag))


class UpdateOffVariation(Instruction):
    kind: Literal["updateOffVariation"]
    variationId: str

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(off_variation=index_of(flag, self.variationId))


class _Targeting(Instruction):
    contextKind: ContextKind = "user"
    variationId: str
    values: Values

    def _same(self, target: Target, index: int) -> bool:
        return (target.context_kind, target.variation) == (self.contextKind, index)


class AddTargets(_Targeting):
    kind: Literal["addTargets"]

    def apply(self, flag: Flag, world: World) -> Flag:
        """A context is a target of one variation only: adding it here takes it from the others."""
        index = index_of(flag, self.variationId)
        if not self.values:
            return flag
        kept = _without(flag.targets, self.contextKind, set(self.values), keep=index)
        own = next((t.values for t in kept if self._same(t, index)), ())
        added = Target(
            context_kind=self.contextKind,
            variation=index,
            values=tuple(dict.fromkeys((*own, *self.values))),
        )
        return flag.changed(targets=(*(t for t in kept if not self._same(t, index)), added))


class RemoveTargets(_Targeting):
    kind: Literal["removeTargets"]

    def apply(self, flag: Flag, world: World) -> Flag:
        index, gone = index_of(flag, self.variationId), set(self.values)
        return flag.changed(
            targets=tuple(
                t.model_copy(update={"values": left})
                for t in flag.targets
                if (
                    left := t.values
                    if not self._same(t, index)
                    else tuple(v for v in t.values if v not in gone)
                )
            )
        )


class _NewTarget(BaseModel):
    model_config = ConfigDict(extra="forbid")

    contextKind: ContextKind = "user"
    variationId: str
    values: Values


class ReplaceTargets(Instruction):
    kind: Literal["replaceTargets"]
    targets: list[_NewTarget]

    def apply(self, flag: Flag, world: World) -> Flag:
        """Entries of one context kind and variation become one; a context twice is an error."""
        values: dict[tuple[str, int], dict[str, None]] = {}
        owner: dict[tuple[str, str], int] = {}
        for target in self.targets:
            index = index_of(flag, target.variationId)
            for value in target.values:
                if owner.setdefault((target.contextKind, value), index) != index:
                    raise ValueError(f"{target.contextKind} {value!r} is given two variations")
                values.setdefault((target.contextKind, index), {})[value] = None
        return flag.changed(
            targets=tuple(
                Target(context_kind=kind, variation=index, values=tuple(keys))
                for (kind, index), keys in values.items()
            )
        )


class ClearTargets(Instruction):
    kind: Literal["clearTargets"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(targets=())


class _NewClause(BaseModel):
    model_config = ConfigDict(extra="forbid")

    contextKind: ContextKind = "user"
    attribute: str
    op: Op
    values: list[JsonValue]
    negate: bool = False

    def build(self, world: World) -> Clause:
        return Clause(
            id=world.new_id(),
            context_kind=self.contextKind,
            attribute=self.attribute,
            op=self.op,
            values=tuple(self.values),
            negate=self.negate,
        )


class AddRule(_Serving):
    kind: Literal["addRule"]
    clauses: Annotated[list[_NewClause], Field(min_length=1)]
    description: Text = ""
    beforeRuleId: str | None = None

    def apply(self, flag: Flag, world: World) -> Flag:
        rule = Rule(
            id=world.new_id(),
            description=self.description,
            clauses=tuple(c.build(world) for c in self.clauses),
            serve=self.serve(flag),
        )
        at = len(flag.rules) if self.beforeRuleId is None else _rule_at(flag, self.beforeRuleId)
        return flag.changed(rules=(*flag.rules[:at], rule, *flag.rules[at:]))


class RemoveRule(Instruction):
    kind: Literal["removeRule"]
    ruleId: str

    def apply(self, flag: Flag, world: World) -> Flag:
        at = _rule_at(flag, self.ruleId)
        return flag.changed(rules=(*flag.rules[:at], *flag.rules[at + 1 :]))


class UpdateRule(_Serving):
    kind: Literal["updateRuleVariationOrRollout"]
    ruleId: str

    def apply(self, flag: Flag, world: World) -> Flag:
        at = _rule_at(flag, self.ruleId)
        rule = flag.rules[at].model_copy(update={"serve": self.serve(flag)})
        return flag.changed(rules=(*flag.rules[:at], rule, *flag.rules[at + 1 :]))


class ReorderRules(Instruction):
    kind: Literal["reorderRules"]
    ruleIds: list[str]

    def apply(self, flag: Flag, world: World) -> Flag:
        if sorted(self.ruleIds) != sorted(r.id for r in flag.rules):
            raise ValueError("ruleIds must name every rule of the flag once")
        return flag.changed(rules=tuple(flag.rules[_rule_at(flag, i)] for i in self.ruleIds))


class AddPrerequisite(Instruction):
    kind: Literal["addPrerequisite"]
    key: Key
    variationId: str

    def apply(self, flag: Flag, world: World) -> Flag:
        other = world.flag(self.key)
        if other is None:
            raise ValueError(f"prerequisite flag {self.key!r} does not exist")
        if _reaches(other, flag.key, world):
            raise ValueError(f"prerequisite {self.key!r} would make a cycle with {flag.key!r}")
        new = Prerequisite(key=self.key, variation=index_of(other, self.variationId))
        others = (p for p in flag.prerequisites if p.key != self.key)
        return flag.changed(prerequisites=(*others, new))


class RemovePrerequisite(Instruction):
    kind: Literal["removePrerequisite"]
    key: Key

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(prerequisites=tuple(p for p in flag.prerequisites if p.key != self.key))


class UpdateName(Instruction):
    kind: Literal["updateName"]
    value: Annotated[Text, Field(min_length=1)]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(name=self.value)


class UpdateDescription(Instruction):
    kind: Literal["updateDescription"]
    value: Text

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(description=self.value)


class AddTags(Instruction):
    kind: Literal["addTags"]
    values: list[Key]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(tags=tuple(dict.fromkeys((*flag.tags, *self.values))))


class RemoveTags(Instruction):
    kind: Literal["removeTags"]
    values: list[Key]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(tags=tuple(t for t in flag.tags if t not in self.values))


class ArchiveFlag(Instruction):
    kind: Literal["archiveFlag"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(archived=True)


class RestoreFlag(Instruction):
    kind: Literal["restoreFlag"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(archived=False)


def _without(
    targets: tuple[Target, ...], context_kind: str, values: set[str], *, keep: int
) -> list[Target]:
    """`targets` less `values` of `context_kind`, but for the target of variation `keep`."""
    kept: list[Target] = []
    for target in targets:
        left: Any = target.values
        if target.context_kind == context_kind and target.variation != keep:
            left = tuple(v for v in target.values if v not in values)
        if left:
            kept.append(target.model_copy(update={"values": left}))
    return kept


def _rule_at(flag: Flag, rule_id: str) -> int:
    for at, rule in enumerate(flag.rules):
        if rule.id == rule_id:
            return at
    raise ValueError(f"rule {rule_id!r} is not of flag {flag.key!r}")


def _reaches(flag: Flag, key: str, world: World) -> bool:
    """Whether `key` is `flag` or one of its prerequisites, however far."""
    seen: set[str] = set()
    left = [flag]
    while left:
        current = left.pop()
        if current.key == key:
            return True
        if current.key not in seen:
            seen.add(current.key)
            left += [f for p in current.prerequisites if (f := world.flag(p.key)) is not None]
    return False


INSTRUCTIONS: tuple[type[Instruction], ...] = (
    TurnFlagOn,
    TurnFlagOff,
    UpdateFallthrough,
    UpdateOffVariation,
    AddTargets,
    RemoveTargets,
    ReplaceTargets,
    ClearTargets,
    AddRule,
    RemoveRule,
    UpdateRule,
    ReorderRules,
    AddPrerequisite,
    RemovePrerequisite,
    UpdateName,
    UpdateDescription,
    AddTags,
    RemoveTags,
    ArchiveFlag,
    RestoreFlag,
)
