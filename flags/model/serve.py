"""What a matching rule gives, and what makes a rule match."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from flags.model.base import FULL_WEIGHT, ContextKind, Model, Op, portable


class WeightedVariation(Model):
    variation: Annotated[int, Field(ge=0)]
    weight: Annotated[int, Field(ge=0, le=FULL_WEIGHT)]
    untracked: bool = False
    """In an experiment: evaluations of this share send no events."""


class Rollout(Model):
    """Shares of contexts; weights sum to 100,000."""

    kind: Literal["rollout", "experiment"] = "rollout"
    context_kind: ContextKind = "user"
    bucket_by: str | None = None
    """An attribute reference; None is the key. Experiments ignore it."""
    seed: int | None = None
    """Instead of the flag's key and salt, so that flags can share their buckets."""
    variations: Annotated[tuple[WeightedVariation, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(v.weight for v in self.variations)
        if total != FULL_WEIGHT:
            raise ValueError(f"weights sum to {total}, expected {FULL_WEIGHT}")
        return self


class Serve(Model):
    """What a rule or the fallthrough gives: one variation, or a rollout."""

    variation: Annotated[int, Field(ge=0)] | None = None
    rollout: Rollout | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.variation is None) == (self.rollout is None):
            raise ValueError("expected a variation or a rollout, one of them")
        return self

    def variations(self) -> frozenset[int]:
        """Indexes that it can give."""
        if self.rollout is None:
            return frozenset() if self.variation is None else frozenset({self.variation})
        return frozenset(v.variation for v in self.rollout.variations)


class Clause(Model):
    id: str
    context_kind: ContextKind = "user"
    attribute: Annotated[str, Field(max_length=512)]
    """An attribute reference; empty for `segmentMatch`."""
    op: Op
    values: Annotated[tuple[JsonValue, ...], Field(max_length=10_000), AfterValidator(portable)]
    negate: bool = False


Clauses = Annotated[tuple[Clause, ...], Field(min_length=1, max_length=100)]
