"""A feature flag in one environment, as the store keeps it. Pure data, frozen.

The names are those of LaunchDarkly's REST API; variations are named by index here, by `id` there.
"""

import json
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

FULL_WEIGHT: Final = 100_000
"""100 %, in thousandths of a percent."""
STAGES: Final = ("off", "dualwrite", "shadow", "live", "rampdown", "complete")
STAGES_BY_COUNT: Final = {
    2: ("off", "complete"),
    4: ("off", "shadow", "live", "complete"),
    6: STAGES,
}


def _portable(value: Any) -> Any:
    """Infinities and lone surrogates are no JSON: they would break every SDK's stream."""
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return value


Json = Annotated[JsonValue, AfterValidator(_portable)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=256)]
ContextKind = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=128)]
Text = Annotated[str, Field(max_length=2000)]
Op = Literal[
    "in", "startsWith", "endsWith", "matches", "contains", "lessThan", "lessThanOrEqual",
    "greaterThan", "greaterThanOrEqual", "before", "after", "semVerEqual", "semVerLessThan",
    "semVerGreaterThan", "segmentMatch",
]  # fmt: skip


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variation(Model):
    id: str
    value: Json
    name: Text = ""
    description: Text = ""


class WeightedVariation(Model):
    variation: int
    weight: Annotated[int, Field(ge=0, le=FULL_WEIGHT)]


class Rollout(Model):
    """Shares of contexts; weights sum to 100,000."""

    context_kind: ContextKind = "user"
    bucket_by: str | None = None
    variations: Annotated[tuple[WeightedVariation, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(v.weight for v in self.variations)
        if total != FULL_WEIGHT:
            raise ValueError(f"weights sum to {total}, expected {FULL_WEIGHT}")
        return self


class Serve(Model):
    """What a rule or the fallthrough gives: one variation, or a rollout."""

    variation: int | None = None
    rollout: Rollout | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.variation is None) == (self.rollout is None):
            raise ValueError("expected a variation or a rollout, one of them")
        return self


class Target(Model):
    context_kind: ContextKind = "user"
    variation: int
    values: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=10_000)]


class Clause(Model):
    id: str
    context_kind: ContextKind = "user"
    attribute: Annotated[str, Field(max_length=512)]
    op: Op
    values: Annotated[tuple[JsonValue, ...], Field(max_length=10_000), AfterValidator(_portable)]
    negate: bool = False


class Rule(Model):
    id: str
    description: Text = ""
    clauses: Annotated[tuple[Clause, ...], Field(min_length=1, max_length=100)]
    serve: Serve


class Prerequisite(Model):
    key: Key
    variation: int


class Flag(Model):
    key: Key
    name: Text
    description: Text = ""
    kind: Literal["boolean", "multivariate", "migration"]
    variations: Annotated[tuple[Variation, ...], Field(min_length=1, max_length=100)]
    tags: Annotated[tuple[Key, ...], Field(max_length=50)] = ()
    temporary: bool = True
    archived: bool = False
    created: int
    """Epoch milliseconds."""
    modified: int
    """Epoch milliseconds of the last change."""
    migration_context_kind: ContextKind | None = None
    check_ratio: int = 1
    salt: str
    version: Annotated[int, Field(ge=1)] = 1
    on: bool = False
    off_variation: int | None = None
    fallthrough: Serve
    targets: tuple[Target, ...] = ()
    rules: Annotated[tuple[Rule, ...], Field(max_length=200)] = ()
    prerequisites: Annotated[tuple[Prerequisite, ...], Field(max_length=50)] = ()

    def variation_index(self, variation_id: str) -> int | None:
        return next((i for i, v in enumerate(self.variations) if v.id == variation_id), None)

    def changed(self, **changes: Any) -> Self:
        """A validated copy with `changes`; raises `pydantic.ValidationError` for invalid ones."""
        return type(self).model_validate({**dict(self), **changes})
