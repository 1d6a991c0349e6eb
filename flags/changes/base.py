"""What all instructions share: their bases, what they may ask about, how variations are named."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from flags.model import (
    Clause,
    Config,
    ContextKind,
    Flag,
    Op,
    Rollout,
    Rule,
    Segment,
    SegmentRule,
    Serve,
    WeightedVariation,
)
from flags.model.base import portable

Values = Annotated[
    list[Annotated[str, Field(max_length=512), AfterValidator(portable)]], Field(max_length=10_000)
]
Name = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(portable)]
AnyRule = TypeVar("AnyRule", Rule, SegmentRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What an instruction may ask about besides the flag or segment that it changes."""

    environment: str | None
    """Key of the environment that is changed; None: the patch names none."""
    flag: Callable[[str], Flag | None]
    segment: Callable[[str], Segment | None]
    """Of this environment."""
    needed_by: Callable[[str], Iterable[tuple[str, str, int]]]
    """For a flag's key: the flags that have it as a prerequisite, where, and which variation."""
    new_id: Callable[[], str]


class Instruction(BaseModel):
    """`apply` raises `ValueError` with what is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FlagInstruction(Instruction):
    """Changes what all environments share."""

    def apply(self, flag: Flag, world: World) -> Flag:
        raise NotImplementedError


class ConfigInstruction(Instruction):
    """Changes a flag in one environment."""

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        raise NotImplementedError


class SegmentInstruction(Instruction):
    def apply(self, segment: Segment, world: World) -> Segment:
        raise NotImplementedError


class RulesInstruction(Instruction):
    """Changes a list of rules, a flag's or a segment's."""

    def apply(self, rules: tuple[AnyRule, ...], world: World) -> tuple[AnyRule, ...]:
        raise NotImplementedError


def index_of(flag: Flag, variation_id: str) -> int:
    index = flag.variation_index(variation_id)
    if index is None:
        known = ", ".join(f"{v.id} ({v.value!r})" for v in flag.variations)
        raise ValueError(
            f"variation {variation_id!r} is not of flag {flag.key!r}, which has {known}"
        )
    return index


def rule_at(rules: tuple[AnyRule, ...], rule_id: str) -> int:
    for at, rule in enumerate(rules):
        if rule.id == rule_id:
            return at
    known = ", ".join(r.id for r in rules) or "none"
    raise ValueError(f"there is no rule {rule_id!r}; known: {known}")


class Serving(BaseModel):
    """The part of an instruction that names one variation, or the weights of several."""

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


class NewClause(BaseModel):
    """A clause as a request gives it. `_id` is taken from clients that send back what they read."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(default=None, alias="_id")
    contextKind: ContextKind = "user"
    attribute: str = ""
    op: Op
    values: list[JsonValue]
    negate: bool = False

    def build(self, world: World) -> Clause:
        if self.op == "segmentMatch":
            require_segments(self.values, world)
        elif not self.attribute:
            raise ValueError("attribute: expected the name of a context attribute")
        return Clause(
            id=world.new_id(),
            context_kind=self.contextKind,
            attribute=self.attribute,
            op=self.op,
            values=tuple(self.values),
            negate=self.negate,
        )


def require_segments(keys: Iterable[object], world: World) -> None:
    for key in keys:
        if not isinstance(key, str) or world.segment(key) is None:
            raise ValueError(f"segment {key!r} does not exist")


def same(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def renumbered(config: Config, index: Callable[[int], int]) -> Config:
    """`config` with `index` of each variation that it names, but for other flags' variations."""

    def serve(serve: Serve) -> Serve:
        if serve.rollout is None:
            return Serve(variation=None if serve.variation is None else index(serve.variation))
        shares = tuple(
            share.changed(variation=index(share.variation)) for share in serve.rollout.variations
        )
        return Serve(rollout=serve.rollout.changed(variations=shares))

    off = config.off_variation
    return config.changed(
        off_variation=None if off is None else index(off),
        fallthrough=serve(config.fallthrough),
        targets=tuple(t.changed(variation=index(t.variation)) for t in config.targets),
        rules=tuple(r.changed(serve=serve(r.serve)) for r in config.rules),
    )


def replaced(items: tuple[Any, ...], at: int, *new: Any) -> tuple[Any, ...]:
    """`items` with `new` instead of the one at `at`."""
    return (*items[:at], *new, *items[at + 1 :])
